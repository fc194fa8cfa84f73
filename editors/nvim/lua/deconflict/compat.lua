--- Neovim 0.10 calls the functions of a language client without the client, later versions with it.
local M = {}

local with_client = vim.fn.has('nvim-0.11') == 1

local function call(client, name, ...)
  if with_client then
    return client[name](client, ...)
  end
  return client[name](...)
end

--- An answer without its nulls, which Neovim gives as a value of their own where they stand deep inside.
---@generic T
---@param answer T
---@return T?
function M.without_nulls(answer)
  if answer == vim.NIL then
    return nil
  end
  if type(answer) ~= 'table' then
    return answer
  end
  for key, value in pairs(answer) do
    answer[key] = M.without_nulls(value)
  end
  return answer
end

function M.request(client, ...)
  return call(client, 'request', ...)
end

function M.request_sync(client, ...)
  return call(client, 'request_sync', ...)
end

function M.notify(client, ...)
  return call(client, 'notify', ...)
end

function M.stop(client, ...)
  return call(client, 'stop', ...)
end

function M.is_stopped(client)
  return call(client, 'is_stopped')
end

function M.supports(client, method)
  return call(client, 'supports_method', method)
end

return M
