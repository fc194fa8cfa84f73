--- `:Deconflict {subcommand}`, and the commands in menus of the server.
local ask = require('deconflict.ask')
local messages = require('deconflict.messages')
local notify = require('deconflict.notify')
local overview = require('deconflict.overview')
local server = require('deconflict.server')

local M = {}

---@class deconflict.Call
---@field argument table what a menu of the server gave
---@field words string[] what was typed after the subcommand
---@field bang boolean

---@class deconflict.Subcommand
---@field run fun(call: deconflict.Call)
---@field complete? 'file'|'session' what its first word is

--- The rest of what was typed from the nth word on, or nothing.
local function rest(call, first)
  local text = table.concat(call.words, ' ', first)
  return text ~= '' and text or nil
end

--- The document that is meant: given by a menu, named, or the current one.
local function uri_of(call, named)
  if call.argument.uri then
    return call.argument.uri
  end
  if named then
    return vim.uri_from_fname(vim.fn.fnamemodify(vim.fn.expand(named), ':p'))
  end
  return vim.uri_from_bufnr(0)
end

--- What a menu gave, with what else is known. Only a menu's `interactive` says that the server shows
--- a refusal.
local function with(call, more)
  return vim.tbl_extend('keep', call.argument, more)
end

--- Says what was done, where nothing can be seen of it otherwise.
local function saying(words)
  return function()
    notify.show(words)
  end
end

local function document_command(name, words)
  return {
    complete = 'file',
    run = function(call)
      server.execute(name, with(call, { uri = uri_of(call, call.words[1]) }), saying(words))
    end,
  }
end

local function take_over(call)
  local argument = with(call, { uri = uri_of(call, call.words[1]), force = call.bang or nil })
  server.execute('takeOver', argument, saying('you hold it now'), function(refusal)
    if argument.force or refusal.reason ~= 'claimed' then
      if not argument.interactive then
        notify.show(refusal.message, vim.log.levels.WARN)
      end
      return
    end
    ask.confirm(refusal.message, 'Take it over by force', function()
      argument.force = true
      argument.interactive = nil
      server.execute('takeOver', argument, saying('you hold it now'))
    end)
  end)
end

local function request_release(call)
  local function send(message)
    local argument = with(call, { uri = uri_of(call) })
    -- A menu gives the selected text as a quotation.
    message = vim.trim(message .. '\n\n' .. (argument.quotation or ''))
    argument.quotation = nil
    argument.message = message ~= '' and message or nil
    server.execute('requestRelease', argument, saying('asked for its release'))
  end
  local message = call.argument.message or rest(call, 1)
  if message then
    send(message)
  else
    ask.input('Ask for its release, with a message (may be empty)', send, true)
  end
end

local function hand_off(call)
  local to = call.argument.to or call.words[1]
  if not to then
    ask.session('Hand it off to', false, function(session)
      hand_off({ argument = with(call, { to = session }), words = {}, bang = false })
    end)
    return
  end
  local function send(notes)
    server.execute(
      'handOff',
      with(call, { uri = uri_of(call), to = to, notes = notes ~= '' and notes or nil }),
      saying('handed off to ' .. to)
    )
  end
  local notes = call.argument.notes or rest(call, 2)
  if notes then
    send(notes)
  else
    ask.input('Notes for ' .. to .. ' (may be empty)', send, true)
  end
end

local function set_work(call)
  local target = call.argument.target or rest(call, 1)
  if not target then
    ask.input('What are you working on', function(answer)
      set_work({ argument = with(call, { target = answer }), words = {}, bang = false })
    end)
    return
  end
  server.execute('setWork', with(call, { target = target }), saying('told the others'))
end

local function mark_read(call)
  if call.argument.ids or #call.words > 0 then
    server.execute('markRead', with(call, { ids = call.words }))
    return
  end
  server.execute('messages', { unreadOnly = true }, function(result)
    local ids = vim.iter(result.messages or {}):map(function(message)
      return message.id
    end)
    server.execute('markRead', { ids = ids:totable() }, saying('all messages are read'))
  end)
end

---@type table<string, deconflict.Subcommand>
local subcommands = {
  claim = document_command('claim', 'claimed'),
  release = document_command('release', 'released'),
  releaseAll = {
    run = function(call)
      server.execute('releaseAll', call.argument, saying('released all that you held'))
    end,
  },
  takeOver = { run = take_over, complete = 'file' },
  requestRelease = { run = request_release },
  sendMessage = {
    complete = 'session',
    run = function(call)
      messages.send(with(call, { to = call.words[1], message = rest(call, 2) }))
    end,
  },
  messages = {
    run = function(call)
      messages.show(call.argument.unreadOnly or call.words[1] == 'unread')
    end,
  },
  markRead = { run = mark_read },
  handOff = { run = hand_off, complete = 'session' },
  setWork = { run = set_work },
  heartbeat = {
    run = function(call)
      server.execute('heartbeat', with(call, { action = rest(call, 1) }), saying('heartbeat sent'))
    end,
  },
  showChanges = {
    complete = 'file',
    run = function(call)
      local argument = with(call, { uri = uri_of(call, call.words[1]) })
      server.execute('showChanges', argument, function(result)
        if result.text == '' then
          notify.show('nothing was saved since the last commit')
        end
      end)
    end,
  },
  status = { run = overview.show },
  tellWhenFree = document_command('tellWhenFree', 'you will be told when it is free'),
  showBoard = { run = overview.board },
}

--- What only menus offer.
local menu_only = {
  acknowledge = {
    run = function(call)
      server.execute('acknowledge', call.argument)
    end,
  },
}

--- What only this plugin knows.
local own = {
  restart = {
    run = function()
      require('deconflict.client').restart()
    end,
  },
}

--- Spelling is free: `release-all` and `releaseall` are `releaseAll`.
local function find(name)
  local plain = name:gsub('[-_]', ''):lower()
  for _, known in ipairs({ subcommands, own }) do
    for spelled, subcommand in pairs(known) do
      if spelled:lower() == plain then
        return subcommand
      end
    end
  end
end

local function names()
  local all = vim.list_extend(vim.tbl_keys(subcommands), vim.tbl_keys(own))
  table.sort(all)
  return all
end

local function starting_with(lead, choices)
  return vim.tbl_filter(function(choice)
    return vim.startswith(choice:lower(), lead:lower())
  end, choices)
end

--- `:Deconflict`
---@param call vim.api.keyset.create_user_command.command_args
function M.run(call)
  local words = vim.list_slice(call.fargs)
  local name = table.remove(words, 1) or 'status'
  local subcommand = find(name)
  if not subcommand then
    notify.show(
      ('there is no subcommand "%s". There are: %s'):format(name, table.concat(names(), ', ')),
      vim.log.levels.ERROR
    )
    return
  end
  subcommand.run({ argument = {}, words = words, bang = call.bang })
end

--- Completion of `:Deconflict`.
---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local before = vim.split(line:sub(1, #line - #lead), '%s+', { trimempty = true })
  table.remove(before, 1)
  if #before == 0 then
    return starting_with(lead, names())
  end
  local subcommand = find(before[1])
  if not subcommand or #before > 1 then
    return {}
  end
  if subcommand.complete == 'file' then
    return vim.fn.getcompletion(lead, 'file')
  end
  if subcommand.complete == 'session' then
    local ids = vim.tbl_map(function(session)
      return session.session_id
    end, server.other_sessions_now())
    return starting_with(lead, vim.list_extend(ids, { 'broadcast' }))
  end
  return {}
end

--- The commands as the language client runs them, when one is chosen in a menu of the server.
---@return table<string, fun(command: lsp.Command, context: table)>
function M.for_client()
  local commands = {}
  for name, subcommand in pairs(vim.tbl_extend('error', subcommands, menu_only)) do
    commands['deconflict.' .. name] = function(command)
      local argument = vim.deepcopy((command.arguments or {})[1] or {})
      subcommand.run({ argument = argument, words = {}, bang = false })
    end
  end
  return commands
end

return M
