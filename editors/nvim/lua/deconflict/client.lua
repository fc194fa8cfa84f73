--- The language client: which buffers it serves, how its server starts and ends.
local compat = require('deconflict.compat')
local config = require('deconflict.config')

local M = {}

local NAME = 'deconflict'
-- A server that keeps failing is not started for ever.
local MAX_RESTARTS = 3
local RESTART_WINDOW_MS = 60 * 1000
-- How long `:qa` waits for the server to end the session. It takes a few milliseconds.
local STOP_MS = 1000
-- How long a command waits for a server that is just starting.
local START_MS = 1000

local last ---@type integer? the client that was started last
--- When the server was started again after it had failed, in milliseconds.
local restarts = {} ---@type number[]
--- Clients that were told to end, and have not yet.
local stopping = {} ---@type table<integer, true>
--- Folders that were opened before their client could be told of them.
local waiting_folders = {} ---@type table<integer, lsp.WorkspaceFolder[]>

--- The client that serves the buffer, or that serves this Neovim at all.
---@param bufnr integer?
---@return vim.lsp.Client?
function M.get(bufnr)
  local clients = vim.lsp.get_clients({ name = NAME, bufnr = bufnr })
  for _, client in ipairs(clients) do
    if not compat.is_stopped(client) then
      return client
    end
  end
end

--- The same, after waiting for a server that is just starting.
---@param bufnr integer?
---@return vim.lsp.Client?
function M.wait(bufnr)
  if last and vim.lsp.get_client_by_id(last) then
    vim.wait(START_MS, function()
      return M.get(bufnr) ~= nil
    end, 5)
  end
  return M.get(bufnr)
end

--- True for a buffer that is a file, existing or new: not for help, terminals, lists of plugins or
--- buffers behind a scheme such as `fugitive://`.
---@param bufnr integer
---@return boolean
function M.is_file(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  return vim.bo[bufnr].buftype == ''
    and name ~= ''
    and not name:match('^%a[%w+.-]+:')
    and vim.fn.isdirectory(name) == 0
end

--- The folder that is the workspace of the buffer: its git repository, or the current folder if the
--- file is in it, or the file's own.
---@param bufnr integer
---@return string
function M.root(bufnr)
  local repository = vim.fs.root(bufnr, '.git')
  if repository then
    return repository
  end
  local file = vim.fs.normalize(vim.api.nvim_buf_get_name(bufnr))
  local current = vim.fs.normalize(vim.fn.getcwd())
  if vim.startswith(file, current .. '/') then
    return current
  end
  return vim.fs.dirname(file)
end

--- Serves the buffer if it is a file, and starts the server if it does not run yet.
---@param bufnr integer
function M.attach(bufnr)
  if config.options().enabled == false or not M.is_file(bufnr) or M.get(bufnr) then
    return
  end
  local program = config.program()
  if not program then
    vim.notify_once(
      'deconflict: the program `deconflict` was not found. See :checkhealth deconflict',
      vim.log.levels.WARN
    )
    return
  end
  -- It listens before there is anything to hear.
  require('deconflict.events')
  local root = M.root(bufnr)
  last = vim.lsp.start({
    name = NAME,
    cmd = vim.list_extend(program, { 'lsp' }),
    cmd_cwd = vim.fn.isdirectory(root) == 1 and root or nil,
    root_dir = root,
    init_options = vim.tbl_extend('force', config.settings(), {
      -- Every command is registered here, with its questions, so the server need not offer them.
      commands = false,
      colonCommands = true,
      statusNotifications = true,
    }),
    settings = { deconflict = config.settings() },
    commands = require('deconflict.commands').for_client(),
    handlers = require('deconflict.handlers'),
    -- A claim should be made by the first change, not once typing pauses.
    flags = { debounce_text_changes = 20 },
    on_init = M._on_init,
    on_attach = function(client, buffer)
      require('deconflict.hints').attach(client, buffer)
      require('deconflict.saves').attach(buffer)
    end,
    on_exit = function(code, signal, client_id)
      vim.schedule(function()
        M._on_exit(code, signal, client_id)
      end)
    end,
  }, {
    bufnr = bufnr,
    reuse_client = function(client)
      if client.name ~= NAME or compat.is_stopped(client) then
        return false
      end
      M._add_folder(client, root)
      return true
    end,
  })
end

--- Stops serving the buffer.
---@param bufnr integer
function M.detach(bufnr)
  local client = M.get(bufnr)
  if client then
    vim.lsp.buf_detach_client(bufnr, client.id)
  end
end

--- Starts the server anew, with the options as they are now.
function M.restart()
  restarts = {}
  M._stop()
  M._attach_all()
end

--- Ends the session.
function M.leave()
  M._stop()
end

--- Tells the server to end, and waits until it has.
function M._stop()
  for _, client in ipairs(vim.lsp.get_clients({ name = NAME })) do
    stopping[client.id] = true
    -- What Neovim still asks of a server that ends is answered with an error, which it would show.
    client.handlers['textDocument/inlayHint'] = function() end
    compat.stop(client)
  end
  vim.wait(STOP_MS, function()
    return vim.tbl_isempty(stopping)
  end, 5)
end

function M._attach_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) then
      M.attach(bufnr)
    end
  end
end

function M._on_init(client)
  require('deconflict.diagnostics').show(client)
  for _, folder in ipairs(waiting_folders[client.id] or {}) do
    M._tell_folder(client, folder)
  end
  waiting_folders[client.id] = nil
end

--- One server serves the whole Neovim: a second repository is a further folder of its workspace.
function M._add_folder(client, root)
  local folder = { uri = vim.uri_from_fname(root), name = root }
  client.workspace_folders = client.workspace_folders or {}
  for _, known in ipairs(client.workspace_folders) do
    if known.uri == folder.uri then
      return
    end
  end
  table.insert(client.workspace_folders, folder)
  require('deconflict.terminals').tell(nil)
  if client.initialized then
    M._tell_folder(client, folder)
  else
    waiting_folders[client.id] = waiting_folders[client.id] or {}
    table.insert(waiting_folders[client.id], folder)
  end
end

function M._tell_folder(client, folder)
  compat.notify(client, 'workspace/didChangeWorkspaceFolders', {
    event = { added = { folder }, removed = {} },
  })
end

function M._on_exit(code, signal, client_id)
  require('deconflict.status').forget(client_id)
  if stopping[client_id] then
    stopping[client_id] = nil
    return
  end
  local now = vim.uv.now()
  restarts = vim.tbl_filter(function(moment)
    return now - moment < RESTART_WINDOW_MS
  end, restarts)
  if #restarts >= MAX_RESTARTS then
    vim.notify(
      ("deconflict: the server keeps stopping (exit code %d, signal %d): others can't see your edits. "):format(
        code,
        signal
      ) .. ':Deconflict restart tries again',
      vim.log.levels.ERROR
    )
    return
  end
  table.insert(restarts, now)
  M._attach_all()
end

return M
