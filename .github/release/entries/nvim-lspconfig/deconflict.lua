---@brief
---
--- @REPOSITORY@
---
--- Says which files of a clone other people and coding agents are editing, claims what you edit, and keeps what others
--- overwrite. It serves every filetype, beside other servers.
---@type vim.lsp.Config
return {
  cmd = { 'deconflict', 'lsp' },
  root_markers = { '.git' },
}
