--- Who is here, who holds what, and what needs coordinating.
local server = require('deconflict.server')
local text = require('deconflict.text')
local view = require('deconflict.view')

local M = {}

--- Shows how things stand.
function M.show()
  server.execute('status', {}, function(status)
    view.open('deconflict', M._lines(status), {
      b = {
        'board',
        function()
          vim.cmd.close()
          M.board()
        end,
      },
      m = {
        'messages',
        function()
          vim.cmd.close()
          require('deconflict.messages').show(false)
        end,
      },
    })
  end)
end

--- Shows the status board, as everybody can read it in its file: the server has it shown.
function M.board()
  server.execute('showBoard', {})
end

--- Groups of the colourscheme, by what they stand for.
local NAME, FAINT, GOOD, WARNING = 'Identifier', 'Comment', 'DiagnosticOk', 'DiagnosticWarn'

--- What happens next where nobody has claimed anything yet, or why nothing does.
local function first_words()
  local state = vim.tbl_get(require('deconflict.status').get() or {}, 'state')
  if state == 'ready' then
    return {
      { 'Nobody else is at work in this clone yet.' },
      { '' },
      { 'Edit a file, and it is yours: others see it as you type, and you see theirs.' },
      { '' },
      { 'To claim a file before you edit it: :Deconflict claim', FAINT },
      { 'More: :help deconflict', FAINT },
    }
  end
  return {
    { 'Deconflict is not active here, because this is no git repository.' },
    { '' },
    { 'To use it here anyway: deconflict init, in a shell', FAINT },
    { 'More: :checkhealth deconflict', FAINT },
  }
end

function M._lines(status)
  if not status.session and #(status.sessions or {}) == 0 then
    return first_words()
  end
  local lines = {}
  local function section(title, rows)
    if #lines > 0 then
      table.insert(lines, { '' })
    end
    table.insert(lines, { title, 'Title' })
    vim.list_extend(
      lines,
      #rows > 0 and view.aligned(rows, view.widest()) or { { '  none', FAINT } }
    )
  end

  section('Sessions', M._sessions(status))
  section('Claims', M._claims(status))
  local needed = vim.tbl_map(function(finding)
    return { { '!', WARNING }, { finding.message } }
  end, status.coordinationNeeded or {})
  if #needed > 0 then
    section('Needs coordinating', needed)
  end
  local unread = vim.tbl_get(status, 'messages', 'unread') or 0
  section('Messages', unread > 0 and { { { ('%d unread'):format(unread), WARNING } } } or {})
  return lines
end

--- What a session says that it does. What it holds is listed below.
local function work_of(session, claims)
  if session.current_work then
    return { session.current_work }
  end
  for _, claim in ipairs(claims) do
    if claim.claimed_by == session.session_id then
      return { '' }
    end
  end
  return { 'idle', FAINT }
end

function M._sessions(status)
  local me = vim.tbl_get(status, 'session', 'session_id')
  local rows = {}
  for _, session in ipairs(status.sessions or {}) do
    local is_over = session.state == 'completed' or session.state == 'gone'
    if session.state ~= 'completed' then
      local name = text.name(session)
      local is_mine = session.session_id == me
      local state = is_mine and 'you' or session.state == 'live' and '' or session.state
      table.insert(rows, {
        { is_over and '○' or '●', session.state == 'live' and GOOD or WARNING },
        { name, NAME },
        { state, is_mine and GOOD or WARNING },
        work_of(session, status.claims or {}),
        { session.branch or '' },
        { name:find(session.session_id, 1, true) and '' or session.session_id, FAINT },
      })
    end
  end
  return rows
end

function M._claims(status)
  local me = vim.tbl_get(status, 'session', 'session_id')
  local names = text.names(status.sessions or {})
  local rows = {}
  for _, claim in ipairs(status.claims or {}) do
    local is_mine = claim.claimed_by == me
    local standing = claim.standing or 'active'
    local row = {
      { claim.resource_name .. (claim.resource_type == 'directory' and '/' or ''), NAME },
      {
        is_mine and 'you'
          or standing == 'uncommitted' and claim.holder
          or names[claim.claimed_by or '?'],
        is_mine and GOOD or nil,
      },
      { standing == 'active' and '' or standing, WARNING },
      { 'since ' .. text.time(claim.claimed_at), FAINT },
      { claim.automatic and 'while edited' or 'until ' .. text.time(claim.expires_at), FAINT },
    }
    -- One's own first.
    table.insert(rows, is_mine and 1 or #rows + 1, row)
  end
  return rows
end

return M
