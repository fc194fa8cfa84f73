--- How the notices of the server are shown.
local config = require('deconflict.config')

local M = {}

local SIGN = '●'

--- Shows them while one types too, and their facts beside the first line.
---@param client vim.lsp.Client
function M.show(client)
  local namespace = vim.lsp.diagnostic.get_namespace(client.id)
  local options = {
    -- The notice is about the file, so there is nothing to underline.
    underline = false,
    -- Somebody else's claim must be seen now, and not once insert mode is left.
    update_in_insert = true,
  }
  local users = vim.diagnostic.config() or {}
  if config.options().virtual_text ~= false and not users.virtual_lines then
    options.virtual_text = vim.tbl_extend(
      'keep',
      { format = M._format, prefix = M._prefix, suffix = '' },
      type(users.virtual_text) == 'table' and users.virtual_text or { spacing = 2 }
    )
  end
  local sign = config.options().sign
  if sign ~= false then
    -- Beside the number, where the first line's other signs are: a letter would say "some diagnostic".
    local text = {}
    for _, severity in pairs(vim.diagnostic.severity) do
      if type(severity) == 'number' then
        text[severity] = sign or SIGN
      end
    end
    options.signs =
      vim.tbl_extend('keep', { text = text }, type(users.signs) == 'table' and users.signs or {})
  end
  vim.diagnostic.config(options, namespace)
end

--- The notice of the server that is the gravest in the buffer, if there is one.
---@param bufnr integer
---@return vim.Diagnostic?
function M.gravest(bufnr)
  local gravest
  for _, diagnostic in ipairs(vim.diagnostic.get(bufnr)) do
    local ours = diagnostic.source == 'deconflict'
    if ours and (not gravest or diagnostic.severity < gravest.severity) then
      gravest = diagnostic
    end
  end
  return gravest
end

--- What the notice says is the case, without what it says next.
---@param diagnostic vim.Diagnostic
---@return string
function M.fact(diagnostic)
  -- What is quoted may hold anything but quotation marks.
  local masked = diagnostic.message:gsub('"[^"]*"', function(quoted)
    return ('x'):rep(#quoted)
  end)
  local stop = masked:find('%. %u')
  local fact = stop and diagnostic.message:sub(1, stop - 1) or diagnostic.message
  return (fact:gsub('%.$', ''))
end

--- True if the inlay hint, which stands there too, says who holds the file.
function M._is_hinted(diagnostic)
  local options = config.options()
  local from_server = vim.tbl_get(options, 'settings', 'inlayHints', 'enable')
  return options.inlay_hints ~= false and from_server ~= false and diagnostic.code == 'claimed'
end

--- What is left to say beside the line.
function M._format(diagnostic)
  if not M._is_hinted(diagnostic) then
    return M.fact(diagnostic)
  end
  return diagnostic.severity <= vim.diagnostic.severity.WARN and 'you edit it too' or ''
end

-- Neovim 0.10 cannot leave out a diagnostic whose text is empty: it is made invisible. Where there are several, it
-- writes the text of the last one only.
function M._prefix(diagnostic, number, total)
  return number == total and M._format(diagnostic) ~= '' and '●' or ''
end

return M
