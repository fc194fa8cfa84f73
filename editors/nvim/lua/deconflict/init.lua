--- What users call. Nothing here needs to be called: the plugin works as soon as it is loaded.
local M = {}

--- Sets options (see |deconflict-options|); the same as setting `vim.g.deconflict`.
--- Call it before the first file is opened.
---@param options deconflict.Options?
function M.setup(options)
  vim.g.deconflict = vim.tbl_deep_extend('force', vim.g.deconflict or {}, options or {})
end

--- What you hold, what others hold and unread messages, as a short text for the statusline. Empty
--- where there is nothing to say.
---@return string
function M.statusline()
  return require('deconflict.status').text(vim.api.nvim_get_current_buf())
end

return M
