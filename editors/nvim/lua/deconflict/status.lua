--- How things stand, as the server last said: for the statusline.
local diagnostics = require('deconflict.diagnostics')

local M = {}

-- A statusline has to show other things, too.
local LONGEST = 40

local known = {} ---@type table<integer, table> what the server of each client said

--- Takes a `deconflict/status`.
---@param client_id integer
---@param status table
function M.update(client_id, status)
  known[client_id] = status
  M._announce()
end

--- What is known no more, because the server has ended.
---@param client_id integer
function M.forget(client_id)
  known[client_id] = nil
  M._announce()
end

--- See |deconflict.statusline()|.
---@param bufnr integer
---@return string
function M.text(bufnr)
  local client = require('deconflict.client').get(bufnr) or require('deconflict.client').get()
  local status = client and known[client.id]
  if not status then
    return ''
  end
  local parts = {}
  local holder = M._holder(bufnr)
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

--- Who else holds the file. The first line, where that stands too, may be out of sight.
function M._holder(bufnr)
  local notice = diagnostics.gravest(bufnr)
  if not notice then
    return nil
  end
  local hint = require('deconflict.hints').text(bufnr)
  return hint ~= '' and hint or require('deconflict.notify').fit(diagnostics.fact(notice), LONGEST)
end

function M._announce()
  vim.cmd.redrawstatus({ bang = true })
  vim.api.nvim_exec_autocmds('User', { pattern = 'DeconflictStatus', modeline = false })
end

return M
