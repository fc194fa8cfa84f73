if vim.g.loaded_deconflict then
  return
end
vim.g.loaded_deconflict = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('deconflict needs Neovim 0.10 or later', vim.log.levels.WARN)
  return
end

local group = vim.api.nvim_create_augroup('deconflict', {})

vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile', 'BufFilePost', 'BufWritePost' }, {
  group = group,
  desc = 'deconflict: attach to every file',
  callback = function(event)
    require('deconflict.client').attach(event.buf)
  end,
})

vim.api.nvim_create_autocmd('BufFilePre', {
  group = group,
  desc = 'deconflict: a buffer that gets another name is another document',
  callback = function(event)
    require('deconflict.client').detach(event.buf)
  end,
})

vim.api.nvim_create_autocmd('VimLeavePre', {
  group = group,
  desc = 'deconflict: end the session',
  callback = function()
    require('deconflict.client').leave()
  end,
})

vim.api.nvim_create_user_command('Deconflict', function(call)
  require('deconflict.commands').run(call)
end, {
  desc = 'Claims, messages and sessions of this workspace',
  nargs = '*',
  bang = true,
  complete = function(lead, line)
    return require('deconflict.commands').complete(lead, line)
  end,
})

-- A plugin that is loaded late finds files already open.
for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
  if vim.api.nvim_buf_is_loaded(bufnr) then
    require('deconflict.client').attach(bufnr)
  end
end
