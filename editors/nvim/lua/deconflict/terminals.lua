--- What is started from this Neovim, `:terminal` above all, belongs to its session.
local config = require('deconflict.config')
local events = require('deconflict.events')

local M = {}

local VARIABLE = 'DECONFLICT_SESSION'

--- What the variable was before, when this Neovim itself was started by a session.
local before = vim.env[VARIABLE] ---@type string?
local told ---@type string?

--- Takes the session's id, or nothing where there is none. A terminal that is open already keeps what it was told:
--- the server resumes its session when it is started again, so that stays right.
---@param id string?
function M.tell(id)
  -- Each folder may have a session of its own. There the terminal verbs find theirs by the process that started them.
  if config.options().terminal == false or not M._has_one_folder() then
    id = nil
  end
  if id == told then
    return
  end
  told = id
  vim.env[VARIABLE] = id or before
  events.emit('DeconflictSession', { session_id = id })
end

--- True if what is started here is told of the session.
---@return boolean
function M.is_told()
  return told ~= nil
end

function M._has_one_folder()
  local client = require('deconflict.client').get()
  return client ~= nil and #(client.workspace_folders or {}) <= 1
end

return M
