--- Messages: reading, answering and marking them read.
local ask = require('deconflict.ask')
local notify = require('deconflict.notify')
local server = require('deconflict.server')
local text = require('deconflict.text')
local view = require('deconflict.view')

local M = {}

--- Shows messages, and marks as read what it showed.
---@param unread_only boolean
function M.show(unread_only)
  server.execute('status', {}, function(status)
    M._show(unread_only, text.names(status.sessions or {}))
  end)
end

function M._show(unread_only, names)
  server.execute('messages', { unreadOnly = unread_only }, function(result)
    local messages = result.messages or {}
    if #messages == 0 then
      notify.show(unread_only and 'no unread messages' or 'no messages')
      return
    end
    local lines, owners = M._lines(messages, names)
    view.open('Messages', lines, {
      r = {
        'reply',
        function(row)
          local message = owners[row]
          if message then
            M.reply(message)
          end
        end,
      },
    })
    M._mark_read(messages)
  end)
end

--- Asks for what is missing, and sends.
---@param message table the argument of the server's command, as far as it is known
function M.send(message)
  if not message.to then
    ask.session('Message to', true, function(to)
      M.send(vim.tbl_extend('force', message, { to = to }))
    end)
  elseif not message.message then
    ask.input('Message', function(body)
      if body == '' then
        notify.show('nothing was sent: the message was empty')
      else
        M.send(vim.tbl_extend('force', message, { message = body }))
      end
    end, true)
  else
    -- A menu gives the selected text as a quotation.
    if message.quotation then
      message.message = message.message .. '\n\n' .. message.quotation
      message.quotation = nil
    end
    message.subject = message.subject or ''
    server.execute('sendMessage', message, function()
      notify.show('sent')
    end)
  end
end

--- Answers a message.
---@param message table
function M.reply(message)
  local subject = message.subject or ''
  local is_needed = subject ~= '' and not vim.startswith(subject, 'Re: ')
  M.send({ to = message.from, subject = (is_needed and 'Re: ' or '') .. subject })
end

--- The messages as lines, and to which message each line belongs.
function M._lines(messages, names)
  local lines, owners = {}, {}
  local function add(message, line, highlight)
    table.insert(lines, { line, highlight })
    owners[#lines] = message
  end
  for index, message in ipairs(messages) do
    if index > 1 then
      add(message, '')
    end
    local unread = M._is_unread(message)
    local from = view.lines_of(names[message.from or '?'])[1]
    local to = message.to == 'broadcast' and 'to everybody' or 'to you'
    local head = ('%s %s · %s · %s'):format(
      unread and '●' or ' ',
      from,
      to,
      text.time(message.timestamp)
    )
    add(message, head, unread and 'DiagnosticInfo' or 'Comment')
    local subject = view.lines_of(message.subject)[1]
    if subject and subject ~= '' then
      add(message, '  ' .. subject, 'Title')
    end
    for _, line in ipairs(view.lines_of(message.message)) do
      add(message, '  ' .. line)
    end
  end
  return lines, owners
end

function M._is_unread(message)
  if message.unread ~= nil then
    return message.unread
  end
  return not message.read
end

function M._mark_read(messages)
  local ids = {}
  for _, message in ipairs(messages) do
    if message.id and M._is_unread(message) then
      table.insert(ids, message.id)
    end
  end
  if #ids > 0 then
    server.execute('markRead', { ids = ids })
  end
end

return M
