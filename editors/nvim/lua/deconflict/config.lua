--- The user's options and the program that they lead to.
local M = {}

---@class deconflict.Options
---@field enabled? boolean false keeps the plugin from attaching to anything
---@field cmd? string|string[] the program, or a command line that starts it
---@field settings? table what the server is told, see |deconflict-settings|
---@field inlay_hints? boolean false leaves inlay hints as they are
---@field virtual_text? boolean false leaves diagnostics as they are shown otherwise
---@field sign? string|false what stands in the sign column beside a notice; false leaves signs as they are
---@field view? 'float'|'split' where messages and the status open
---@field terminal? boolean false keeps DECONFLICT_SESSION from what is started here

--- Every option there is.
M.NAMES = {
  'enabled',
  'cmd',
  'settings',
  'inlay_hints',
  'virtual_text',
  'sign',
  'view',
  'terminal',
}

---@return deconflict.Options
function M.options()
  local options = vim.g.deconflict
  return type(options) == 'table' and options or {}
end

--- The settings as JSON can carry them: an empty Lua table would become a list.
---@return table
function M.settings()
  local settings = M.options().settings
  if type(settings) ~= 'table' or vim.tbl_isempty(settings) then
    return vim.empty_dict()
  end
  return settings
end

--- The command line that starts the program, without its verb, if the program can be found.
---@return string[]?
function M.program()
  local given = M.options().cmd
  if given then
    local command = type(given) == 'table' and vim.deepcopy(given) or { given }
    if command[#command] == 'lsp' and #command > 1 then
      table.remove(command)
    end
    command[1] = vim.fs.normalize(command[1])
    return vim.fn.executable(command[1]) == 1 and command or nil
  end
  for _, place in ipairs(M.places()) do
    if vim.fn.executable(place) == 1 then
      return { place }
    end
  end
end

--- Where the program is looked for: on the PATH, where `deconflict setup` puts it and where cargo
--- does (a Neovim that was not started from a shell may not have those on its PATH), and where it is
--- built in a checkout.
---@return string[]
function M.places()
  local here = debug.getinfo(1, 'S').source:sub(2)
  local checkout = vim.fn.fnamemodify(here, ':p:h:h:h:h:h')
  local data = vim.fn.fnamemodify(vim.fn.stdpath('data'), ':h')
  return {
    'deconflict',
    data .. '/deconflict/bin/deconflict',
    vim.fs.normalize('~/.cargo/bin/deconflict'),
    checkout .. '/target/release/deconflict',
  }
end

return M
