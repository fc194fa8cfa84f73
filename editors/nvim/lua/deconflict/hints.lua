--- Inlay hints of our server, and only of ours: Neovim turns hints on for a buffer as a whole, so
--- that another server's would appear with them. Where one is attached that has hints, which the
--- user has not turned on, ours are drawn here.
local compat = require('deconflict.compat')

local M = {}

local METHOD = 'textDocument/inlayHint'
local namespace = vim.api.nvim_create_namespace('deconflict.hints')
local group = vim.api.nvim_create_augroup('deconflict.hints', {})

--- Buffers whose hints were turned on by us.
local enabled = {} ---@type table<integer, true>
--- Buffers whose hints are drawn by us, with what is drawn.
local drawn = {} ---@type table<integer, { text: string, shown: boolean }>

--- What our server answered last, by buffer.
local answered = {} ---@type table<integer, lsp.InlayHint[]?>

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  if require('deconflict.config').options().inlay_hints == false then
    return
  end
  if not compat.supports(client, METHOD) or vim.lsp.inlay_hint.is_enabled({ bufnr = bufnr }) then
    return
  end
  if M._others_have_hints(client, bufnr) then
    M._draw(client, bufnr)
  else
    enabled[bufnr] = true
    vim.lsp.inlay_hint.enable(true, { bufnr = bufnr })
  end
end

--- The text of the hint in a buffer, or an empty one.
---@param bufnr integer
---@return string
function M.text(bufnr)
  return drawn[bufnr] and drawn[bufnr].text or M._text(answered[bufnr] or {})
end

--- Asks again for what is drawn here, because the server says that it changed.
---@param client vim.lsp.Client
function M.refresh(client)
  for bufnr in pairs(drawn) do
    M._draw(client, bufnr)
  end
end

--- Takes an answer of our server for Neovim to draw. Neovim does not draw hints anew that changed
--- while the text did not: 0.10 never does, and 0.12 not if it redraws between asking for them and the
--- answer. So a changed answer makes it start over.
---@type lsp.Handler
function M.answer(err, hints, context, options)
  local bufnr = context.bufnr
  if
    bufnr
    and vim.lsp.inlay_hint.is_enabled({ bufnr = bufnr })
    and not vim.deep_equal(hints, answered[bufnr])
  then
    -- This asks once more, and that answer will be the same.
    answered[bufnr] = vim.deepcopy(hints)
    vim.lsp.inlay_hint.enable(true, { bufnr = bufnr })
  end
  return vim.lsp.handlers[METHOD](err, hints, context, options)
end

function M._others_have_hints(client, bufnr)
  return vim.iter(vim.lsp.get_clients({ bufnr = bufnr })):any(function(other)
    return other.id ~= client.id and compat.supports(other, METHOD)
  end)
end

function M._draw(client, bufnr)
  answered[bufnr] = nil
  drawn[bufnr] = drawn[bufnr] or { text = '', shown = false }
  compat.request(client, METHOD, {
    textDocument = vim.lsp.util.make_text_document_params(bufnr),
    range = { start = { line = 0, character = 0 }, ['end'] = { line = 1, character = 0 } },
  }, function(_, hints)
    if drawn[bufnr] and vim.api.nvim_buf_is_loaded(bufnr) then
      drawn[bufnr] = { text = M._text(hints or {}), shown = false }
      vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
      vim.cmd.redraw({ bang = true })
    end
  end, bufnr)
end

function M._text(hints)
  local labels = vim.iter(hints):map(function(hint)
    if type(hint.label) == 'string' then
      return hint.label
    end
    return vim.iter(hint.label):fold('', function(text, part)
      return text .. part.value
    end)
  end)
  return labels:join(' ')
end

-- Looked at on every redraw, so that ours go when the user turns all hints on, and come back.
vim.api.nvim_set_decoration_provider(namespace, {
  on_win = function(_, _, bufnr)
    local hint = drawn[bufnr]
    if not hint then
      return
    end
    local wanted = hint.text ~= '' and not vim.lsp.inlay_hint.is_enabled({ bufnr = bufnr })
    if wanted == hint.shown then
      return
    end
    hint.shown = wanted
    vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
    if wanted then
      local first = vim.api.nvim_buf_get_lines(bufnr, 0, 1, false)[1] or ''
      vim.api.nvim_buf_set_extmark(bufnr, namespace, 0, #first, {
        virt_text = { { ' ' .. hint.text, 'LspInlayHint' } },
        virt_text_pos = 'inline',
      })
    end
  end,
})

vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  desc = 'deconflict: a server with hints joins a buffer whose hints we turned on',
  callback = function(event)
    local client = require('deconflict.client').get(event.buf)
    if not client or not enabled[event.buf] or event.data.client_id == client.id then
      return
    end
    if M._others_have_hints(client, event.buf) then
      enabled[event.buf] = nil
      vim.lsp.inlay_hint.enable(false, { bufnr = event.buf })
      M._draw(client, event.buf)
    end
  end,
})

vim.api.nvim_create_autocmd('LspDetach', {
  group = group,
  desc = 'deconflict: nothing is drawn where our server is not',
  callback = function(event)
    local client = require('deconflict.client').get(event.buf)
    if not client or event.data.client_id == client.id then
      enabled[event.buf] = nil
      drawn[event.buf] = nil
      answered[event.buf] = nil
      vim.api.nvim_buf_clear_namespace(event.buf, namespace, 0, -1)
    end
  end,
})

vim.api.nvim_create_autocmd('BufReadPost', {
  group = group,
  desc = 'deconflict: what was drawn is gone when a buffer was read again',
  callback = function(event)
    local client = drawn[event.buf] and require('deconflict.client').get(event.buf)
    if client then
      M._draw(client, event.buf)
    end
  end,
})

return M
