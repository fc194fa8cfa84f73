--- Asking the server to do something, and telling the user when it will not.
local compat = require('deconflict.compat')
local notify = require('deconflict.notify')
local text = require('deconflict.text')

local M = {}

-- Completion waits for an answer; nobody waits longer than this for a list of sessions.
local COMPLETION_MS = 300

--- Runs a command of the server. A refusal is shown, and `done` is not called, unless `refused`
--- takes it.
---@param name string without the prefix `deconflict.`
---@param argument table
---@param done fun(result: table)?
---@param refused fun(result: table)?
function M.execute(name, argument, done, refused)
  local client = M._client()
  if not client then
    return
  end
  compat.request(
    client,
    'workspace/executeCommand',
    M._params(name, argument),
    function(err, result)
      result = compat.without_nulls(result)
      if err then
        notify.show(err.message, vim.log.levels.ERROR)
      elseif type(result) == 'table' and result.ok == false then
        if refused then
          refused(result)
        elseif not argument.interactive then
          -- The server itself shows a refusal of what came from its own menus.
          notify.show(result.message or result.reason, vim.log.levels.WARN)
        end
      elseif done then
        done(type(result) == 'table' and result or {})
      end
    end,
    vim.api.nvim_get_current_buf()
  )
end

--- The live sessions other than this one. Waits for the answer, but not for long.
---@return table[]
function M.other_sessions_now()
  local client = require('deconflict.client').get()
  local response = client
    and compat.request_sync(
      client,
      'workspace/executeCommand',
      M._params('status', {}),
      COMPLETION_MS,
      vim.api.nvim_get_current_buf()
    )
  return M.others(compat.without_nulls(response and response.result) or {})
end

--- The live sessions other than this one in an answer of `status`.
---@param status table
---@return table[]
function M.others(status)
  local me = vim.tbl_get(status, 'session', 'session_id')
  return vim.tbl_filter(function(session)
    return session.session_id ~= me and session.state ~= 'completed' and session.state ~= 'gone'
  end, status.sessions or {})
end

--- Finds a session by its id or its name, and says so where there is none or there are several. It waits for the answer
--- but not for long, so that what is typed next goes where it is meant to.
---@param called string
---@return string? id
---@return string? name
function M.find_session(called)
  if called == 'broadcast' then
    return called, 'everybody'
  end
  local others = M.other_sessions_now()
  local wanted = called:lower()
  local function those(is_meant)
    return vim.tbl_filter(function(session)
      return is_meant(session, text.name(session):lower())
    end, others)
  end
  local matches = those(function(session, name)
    return session.session_id == called or name == wanted
  end)
  if #matches == 0 then
    -- Of a name of several words the first will do.
    matches = those(function(_, name)
      return vim.startswith(name, wanted .. ' ')
    end)
  end
  if #matches == 1 then
    return matches[1].session_id, text.name(matches[1])
  end
  local names = table.concat(vim.tbl_map(text.session, others), ', ')
  local words = #matches > 1 and 'several sessions are called "%s". Name one by its id: %s'
    or #others > 0 and 'there is no session "%s". Here are: %s'
    or 'there is no session "%s", and nobody else is here'
  notify.show(words:format(called, names), vim.log.levels.WARN)
end

function M._client()
  local client = require('deconflict.client').get(0) or require('deconflict.client').wait()
  if not client then
    notify.show(
      'there is no server yet. Open a file, or see :checkhealth deconflict',
      vim.log.levels.WARN
    )
  end
  return client
end

function M._params(name, argument)
  return {
    command = 'deconflict.' .. name,
    arguments = { vim.tbl_isempty(argument) and vim.empty_dict() or argument },
  }
end

return M
