--- Records in words.
local M = {}

--- What to call a session: as every other surface does.
---@param session table
---@return string
function M.name(session)
  return session.label or session.name or session.session_id
end

--- A session in a list, where two may have the same name.
---@param session table
---@return string
function M.session(session)
  local name = M.name(session)
  return name:find(session.session_id, 1, true) and name or (name .. ' · ' .. session.session_id)
end

--- What sessions are called, by their ids.
---@param sessions table[]
---@return table<string, string>
function M.names(sessions)
  local names = {}
  for _, session in ipairs(sessions) do
    names[session.session_id] = M.name(session)
  end
  return setmetatable(names, {
    __index = function(_, id)
      return id
    end,
  })
end

--- A time of a record in the local time zone, with its day unless that is today.
---@param timestamp any
---@return string
function M.time(timestamp)
  if type(timestamp) ~= 'string' then
    return ''
  end
  local year, month, day, hour, minute, second =
    timestamp:match('^(%d+)-(%d+)-(%d+)[T ](%d+):(%d+):(%d+)')
  if not year or not timestamp:match('Z$') then
    return timestamp
  end
  local utc = { year = year, month = month, day = day, hour = hour, min = minute, sec = second }
  local as_local = os.time(vim.tbl_map(tonumber, utc))
  -- `os.time` took the fields for local time: the difference of both readings is the offset.
  local offset = os.difftime(as_local, os.time(os.date('!*t', as_local)))
  local moment = as_local + offset
  if os.date('%Y-%m-%d', moment) == os.date('%Y-%m-%d') then
    return os.date('%H:%M', moment)
  end
  local is_this_year = os.date('%Y', moment) == os.date('%Y')
  return (os.date(is_this_year and '%d %b %H:%M' or '%d %b %Y %H:%M', moment):gsub('^0', ''))
end

return M
