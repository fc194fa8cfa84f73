--- `:checkhealth deconflict`
local M = {}

-- A check of one's health that hangs helps nobody.
local PATIENCE_MS = 5000

function M.check()
  vim.health.start('deconflict')
  if vim.fn.has('nvim-0.10') == 0 then
    vim.health.error('Neovim is older than 0.10', { 'Install Neovim 0.10 or later' })
    return
  end
  vim.health.ok('Neovim is 0.10 or later')
  M._check_options()
  local program = M._check_program()
  M._check_server()
  if program then
    M._check_directory(program)
  end
end

function M._check_options()
  local config = require('deconflict.config')
  for name in pairs(config.options()) do
    if not vim.list_contains(config.NAMES, name) then
      vim.health.warn(('vim.g.deconflict.%s is not an option'):format(name), {
        'See :help deconflict-options. What the server is told goes in `settings`',
      })
    end
  end
end

function M._check_program()
  local config = require('deconflict.config')
  local program = config.program()
  if not program then
    local given = config.options().cmd
    local where = given and vim.inspect(given) or table.concat(config.places(), ', ')
    vim.health.error('the program was not found; looked for: ' .. where, {
      'Run `cargo install --path .` in a checkout of deconflict',
      'Or name it: vim.g.deconflict = { cmd = "/path/to/deconflict" }',
    })
    return nil
  end
  local result = M._run(vim.list_extend(vim.deepcopy(program), { '--version' }))
  if result.code == 0 then
    vim.health.ok(('%s (%s)'):format(vim.trim(result.stdout), vim.fn.exepath(program[1])))
  else
    vim.health.error(
      ("%s doesn't run: %s"):format(program[1], vim.trim(result.stderr or '')),
      { 'Install it again' }
    )
    return nil
  end
  return program
end

function M._check_server()
  local client = require('deconflict.client').get()
  if not client then
    vim.health.info('no server is running: it starts with the first file that is opened')
    return
  end
  local folders = vim.tbl_map(function(folder)
    return folder.name
  end, client.workspace_folders or {})
  vim.health.ok(
    ('the server is running for %s, with %d open files'):format(
      table.concat(folders, ', '),
      vim.tbl_count(client.attached_buffers)
    )
  )
  local session = vim.tbl_get(require('deconflict.status').get() or {}, 'session')
  if type(session) ~= 'table' then
    vim.health.info('no session yet: it begins with the first claim, message or directory')
    return
  end
  vim.health.ok(('the session is %s'):format(require('deconflict.text').session(session)))
  if require('deconflict.terminals').is_told() then
    vim.health.ok('terminals opened here belong to it: DECONFLICT_SESSION is set')
  else
    vim.health.info('DECONFLICT_SESSION is not set: terminals find the session by their process')
  end
end

function M._check_directory(program)
  local result = M._run(vim.list_extend(vim.deepcopy(program), { 'doctor' }))
  local said = vim.trim((result.stdout or '') .. (result.stderr or ''))
  local report = result.code == 0 and vim.health.ok or vim.health.warn
  report('deconflict doctor, in ' .. vim.fn.getcwd() .. ':\n' .. said)
end

function M._run(command)
  local started, process = pcall(vim.system, command, { text = true, stdin = false })
  if not started then
    return { code = 1, stdout = '', stderr = tostring(process) }
  end
  return process:wait(PATIENCE_MS)
end

return M
