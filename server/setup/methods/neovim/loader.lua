-- Loads the deconflict plugin where packages are turned off, as some plugin managers do for speed.
-- `deconflict setup` put it here, and `deconflict setup --remove` takes it away.
if vim.g.loaded_deconflict then
  return
end

local site = vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h:h')
local plugin = site .. '/pack/deconflict/start/deconflict'
if vim.fn.isdirectory(plugin) == 0 then
  return
end
if #vim.api.nvim_get_runtime_file('lua/deconflict/init.lua', false) == 0 then
  vim.opt.runtimepath:append(plugin)
end
vim.cmd.source(vim.fn.fnameescape(plugin .. '/plugin/deconflict.lua'))
