--- How things stand, as the server last said: for the statusline, and for what others build on it.
local diagnostics = require('deconflict.diagnostics')
local events = require('deconflict.events')

local M = {}

-- A statusline has to show other things, too.
local LONGEST = 40

local known = {} ---@type table<integer, table> what the server of each client said

--- Takes a `deconflict/status`.
---@param client_id integer
---@param status table
function M.update(client_id, status)
  known[client_id] = status
  require('deconflict.terminals').tell(M._session_id(status))
  M._announce(status)
end

--- What is known no more, because the server has ended.
---@param client_id integer
function M.forget(client_id)
  if known[client_id] then
    known[client_id] = nil
    require('deconflict.terminals').tell(nil)
    M._announce({})
  end
end

--- What the server last said of how things stand, if there is one.
---@param bufnr integer?
---@return table?
function M.get(bufnr)
  local clients = require('deconflict.client')
  local client = bufnr and clients.get(bufnr) or clients.get()
  return client and known[client.id]
end

--- See |deconflict.statusline()|.
---@param bufnr integer
---@return string
function M.text(bufnr)
  local status = M.get(bufnr)
  if not status then
    return ''
  end
  local parts = {}
  local holder = M.holder(bufnr)
  if holder then
    table.insert(parts, holder)
  end
  local counts = {
    { 'yours', status.held },
    { 'others', status.heldByOthers },
    { 'unread', vim.tbl_get(status, 'messages', 'unread') },
  }
  for _, count in ipairs(counts) do
    if (count[2] or 0) > 0 then
      table.insert(parts, ('%s %d'):format(count[1], count[2]))
    end
  end
  return table.concat(parts, ' · ')
end

--- Who else holds the file of a buffer, in a few words. The first line, where that stands too, may be out of sight.
---@param bufnr integer
---@return string?
function M.holder(bufnr)
  local notice = diagnostics.gravest(bufnr)
  if not notice then
    return nil
  end
  local hint = require('deconflict.hints').text(bufnr)
  return hint ~= '' and hint or require('deconflict.notify').fit(diagnostics.fact(notice), LONGEST)
end

function M._session_id(status)
  return type(status.session) == 'table' and status.session.session_id or nil
end

function M._announce(status)
  vim.cmd.redrawstatus({ bang = true })
  events.emit('DeconflictStatus', status)
end

return M
