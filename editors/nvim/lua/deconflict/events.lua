--- `User` autocommands that others can build on, see |deconflict-events|.
local diagnostics = require('deconflict.diagnostics')

local M = {}

local group = vim.api.nvim_create_augroup('deconflict.events', {})

--- What was last said of each buffer.
local said = {} ---@type table<integer, string>

---@param name string
---@param data table
function M.emit(name, data)
  vim.api.nvim_exec_autocmds('User', { pattern = name, modeline = false, data = data })
end

--- Says who holds the file of a buffer, if that is new.
---@param bufnr integer
function M._file_changed(bufnr)
  local notice = vim.api.nvim_buf_is_valid(bufnr) and diagnostics.gravest(bufnr) or nil
  local now = notice and (notice.code .. notice.severity .. notice.message) or nil
  if said[bufnr] == now then
    return
  end
  said[bufnr] = now
  M.emit('DeconflictFile', {
    buf = bufnr,
    code = notice and notice.code,
    severity = notice and notice.severity,
    fact = notice and diagnostics.fact(notice),
    claim = notice and vim.tbl_get(notice, 'user_data', 'lsp', 'data'),
  })
end

vim.api.nvim_create_autocmd('DiagnosticChanged', {
  group = group,
  desc = 'deconflict: say who holds a file',
  callback = function(event)
    M._file_changed(event.buf)
  end,
})

vim.api.nvim_create_autocmd('BufWipeout', {
  group = group,
  desc = 'deconflict: forget a buffer',
  callback = function(event)
    said[event.buf] = nil
  end,
})

return M
