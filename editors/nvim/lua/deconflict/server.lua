--- Asking the server to do something, and telling the user when it will not.
local compat = require('deconflict.compat')
local notify = require('deconflict.notify')

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
  return M.others(response and response.result or {})
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
