--- Who is here, who holds what, and what needs coordinating.
local server = require('deconflict.server')
local text = require('deconflict.text')
local view = require('deconflict.view')

local M = {}

--- Shows how things stand.
function M.show()
  server.execute('status', {}, function(status)
    view.float('deconflict', M._lines(status), {
      b = {
        'board',
        function()
          vim.cmd.close()
          M.board()
        end,
      },
    })
  end)
end

--- Shows the status board, as everybody can read it in its file: the server has it shown.
function M.board()
  server.execute('showBoard', {})
end

function M._lines(status)
  local me = vim.tbl_get(status, 'session', 'session_id')
  local names = text.names(status.sessions or {})

  local lines = {}
  local function section(title, entries)
    if #lines > 0 then
      table.insert(lines, { '' })
    end
    table.insert(lines, { title, 'Title' })
    for _, entry in ipairs(#entries > 0 and entries or { 'none' }) do
      table.insert(lines, { '  ' .. entry, #entries == 0 and 'Comment' or nil })
    end
  end

  local here = vim.tbl_filter(function(session)
    return session.state ~= 'completed'
  end, status.sessions or {})
  section(
    'Sessions',
    vim.tbl_map(function(session)
      local words = text.session(session)
      if session.session_id == me then
        return words .. ' – you'
      end
      return session.state == 'live' and words or ('%s – %s'):format(words, session.state)
    end, here)
  )
  section(
    'Claims',
    vim.tbl_map(function(claim)
      local holder = claim.claimed_by == me and 'you' or names[claim.claimed_by or '?']
      local standing = claim.standing or 'active'
      return ('%s – %s, since %s, until %s%s'):format(
        claim.resource_name,
        holder,
        text.time(claim.claimed_at),
        text.time(claim.expires_at),
        standing ~= 'active' and (' (' .. standing .. ')') or ''
      )
    end, status.claims or {})
  )
  section(
    'Coordination needed',
    vim.tbl_map(function(finding)
      return finding.message
    end, status.coordinationNeeded or {})
  )
  local unread = vim.tbl_get(status, 'messages', 'unread') or 0
  section('Messages', { ('%d unread'):format(unread) })
  return vim.tbl_map(function(line)
    return { (line[1]:gsub('%c', ' ')), line[2] }
  end, lines)
end

return M
