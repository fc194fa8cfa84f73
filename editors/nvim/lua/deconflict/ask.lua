--- Questions to the user. An answer that is missing ends the matter: nothing is sent.
local server = require('deconflict.server')
local text = require('deconflict.text')

local M = {}

--- Asks for a text.
---@param prompt string
---@param answered fun(answer: string)
---@param optional boolean? true if an empty answer is one
function M.input(prompt, answered, optional)
  vim.ui.input({ prompt = prompt .. ': ' }, function(answer)
    if answer and (optional or vim.trim(answer) ~= '') then
      answered(vim.trim(answer))
    end
  end)
end

--- Asks for a session, and for everybody where that makes sense.
---@param prompt string
---@param with_broadcast boolean
---@param answered fun(id: string)
function M.session(prompt, with_broadcast, answered)
  server.execute('status', {}, function(status)
    local choices = server.others(status)
    if with_broadcast then
      table.insert(choices, { session_id = 'broadcast', name = 'everybody' })
    end
    if #choices == 0 then
      require('deconflict.notify').show('nobody else is here')
      return
    end
    vim.ui.select(choices, { prompt = prompt, format_item = text.session }, function(choice)
      if choice then
        answered(choice.session_id)
      end
    end)
  end)
end

--- Asks whether to do something that hurts somebody.
---@param prompt string
---@param action string what "yes" does
---@param confirmed fun()
function M.confirm(prompt, action, confirmed)
  vim.ui.select({ 'Leave it', action }, { prompt = prompt }, function(choice)
    if choice == action then
      confirmed()
    end
  end)
end

return M
