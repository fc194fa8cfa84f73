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

--- How things stand, as the server last said: `session`, `held`, `heldByOthers`, `messages.unread`, `liveSessions` and
--- `state`. Nothing where no server runs.
---@return table?
function M.status()
  return require('deconflict.status').get()
end

--- Who else holds the file of a buffer, in a few words; nothing where nobody does.
---@param bufnr integer? The current one unless it says otherwise.
---@return string?
function M.holder(bufnr)
  return require('deconflict.status').holder(bufnr or vim.api.nvim_get_current_buf())
end

return M
