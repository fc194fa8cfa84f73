--- `:Deconflict {subcommand}`, and the commands in menus of the server.
local ask = require('deconflict.ask')
local history = require('deconflict.history')
local messages = require('deconflict.messages')
local notify = require('deconflict.notify')
local overview = require('deconflict.overview')
local server = require('deconflict.server')
local text = require('deconflict.text')

local M = {}

---@class deconflict.Call
---@field argument table what a menu of the server gave
---@field words string[] what was typed after the subcommand
---@field bang boolean

---@class deconflict.Subcommand
---@field run fun(call: deconflict.Call)
---@field complete? 'file'|'session'|string[] what its first word is

--- The rest of what was typed from the nth word on, or nothing.
local function rest(call, first)
  local words = table.concat(call.words, ' ', first)
  return words ~= '' and words or nil
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
    server.execute('requestRelease', argument, function(answer)
      -- The server tells of an agent that gave it up at once.
      if not answer.yielded then
        notify.show('asked for its release')
      end
    end)
  end
  local message = call.argument.message or rest(call, 1)
  if message then
    send(message)
  else
    ask.input('Ask for its release, with a message (optional)', send, true)
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
  local id, name = server.find_session(to)
  if not id then
    return
  end
  local argument = vim.tbl_extend('force', with(call, { uri = uri_of(call) }), { to = id })
  local function send(notes)
    argument.notes = notes ~= '' and notes or nil
    server.execute('handOff', argument, saying('handed off to ' .. name))
  end
  local notes = call.argument.notes or rest(call, 2)
  if notes then
    send(notes)
  else
    ask.input('Notes for ' .. name .. ' (optional)', send, true)
  end
end

local function send_message(call)
  local to = call.argument.to or call.words[1]
  if not to then
    messages.send(call.argument)
    return
  end
  local id = server.find_session(to)
  if id then
    messages.send(vim.tbl_extend('force', with(call, { message = rest(call, 2) }), { to = id }))
  end
end

local function mute_for(called, minutes)
  local id, name = server.find_session(called)
  if not id then
    return
  end
  server.execute('mute', { session = id, minutes = minutes }, function(result)
    local words = minutes == 0 and 'unmuted %s' or 'muted %s until %s; its messages wait unread'
    notify.show(words:format(name, text.time(result['until'])))
  end)
end

--- Keeps quiet about a session: for an hour, or for so many minutes.
local function mute(call)
  local words = vim.list_slice(call.words)
  local minutes = tonumber(words[#words])
  if minutes and #words > 1 then
    table.remove(words)
  end
  if #words > 0 then
    mute_for(table.concat(words, ' '), minutes)
  else
    ask.session('Mute for an hour', false, mute_for)
  end
end

local function unmute(call)
  if #call.words > 0 then
    mute_for(table.concat(call.words, ' '), 0)
  else
    ask.session('Unmute', false, function(id)
      mute_for(id, 0)
    end)
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

--- What is about the changes of a file, and of a menu about one of them.
local function about_history(act)
  return {
    complete = 'file',
    run = function(call)
      act(uri_of(call, call.words[1]), call.argument.entry)
    end,
  }
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
    run = send_message,
  },
  messages = {
    complete = { 'unread' },
    run = function(call)
      messages.show(call.argument.unreadOnly or call.words[1] == 'unread')
    end,
  },
  markRead = { run = mark_read },
  handOff = { run = hand_off, complete = 'session' },
  setWork = { run = set_work },
  mute = { run = mute, complete = 'session' },
  heartbeat = {
    run = function(call)
      server.execute('heartbeat', with(call, { action = rest(call, 1) }), saying('heartbeat sent'))
    end,
  },
  showChanges = {
    complete = 'file',
    run = function(call)
      local argument = with(call, { uri = uri_of(call, call.words[1]) })
      if argument.entry then
        history.diff(argument.uri, argument.entry)
        return
      end
      server.execute('showChanges', argument, function(result)
        if result.text == '' then
          notify.show('nothing was saved since the last commit')
        end
      end)
    end,
  },
  history = about_history(history.show),
  restore = about_history(function(uri, entry)
    if entry then
      history.restore(uri, entry)
    else
      history.ask_restore(uri)
    end
  end),
  merge = {
    complete = 'file',
    run = function(call)
      history.merge(with(call, { uri = uri_of(call, call.words[1]) }))
    end,
  },
  blame = {
    run = function(call)
      history.blame(with(call, { uri = uri_of(call) }))
    end,
  },
  acknowledge = {
    complete = 'file',
    run = function(call)
      if call.argument.code then
        server.execute('acknowledge', call.argument)
      else
        history.acknowledge(uri_of(call, call.words[1]))
      end
    end,
  },
  status = { run = overview.show },
  tellWhenFree = document_command('tellWhenFree', 'you will be told when it is free'),
  showBoard = { run = overview.board },
}

--- What only this plugin knows.
local own = {
  unmute = { run = unmute, complete = 'session' },
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

--- A session as it is typed: by the name that somebody gave it, its spaces escaped, else by its id.
local function completed(session)
  local name = session.name
  return name and vim.trim(name) ~= '' and vim.fn.escape(vim.trim(name), ' \\')
    or session.session_id
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
    local all = vim.tbl_map(completed, server.other_sessions_now())
    if not before[1]:lower():find('message', 1, true) then
      return starting_with(lead, all)
    end
    return starting_with(lead, vim.list_extend(all, { 'broadcast' }))
  end
  return starting_with(lead, subcommand.complete or {})
end

--- The commands as the language client runs them, when one is chosen in a menu of the server.
---@return table<string, fun(command: lsp.Command, context: table)>
function M.for_client()
  local commands = {}
  for name, subcommand in pairs(subcommands) do
    commands['deconflict.' .. name] = function(command)
      local argument = vim.deepcopy((command.arguments or {})[1] or {})
      subcommand.run({ argument = argument, words = {}, bang = false })
    end
  end
  return commands
end

return M
