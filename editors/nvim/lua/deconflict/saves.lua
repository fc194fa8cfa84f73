--- Writes that no `BufWritePost` tells of: autocommands do not nest, so an auto save by one of them fires none.
local compat = require('deconflict.compat')

local M = {}

local group = vim.api.nvim_create_augroup('deconflict.saves', {})

--- What is known of a buffer's file: what it was, and how often Neovim itself had written it by then.
---@class deconflict.KnownFile
---@field stamp string
---@field writes integer

local known = {} ---@type table<integer, deconflict.KnownFile>

---@param bufnr integer
local function stamp(bufnr)
  local stat = vim.uv.fs_stat(vim.api.nvim_buf_get_name(bufnr))
  return stat and ('%d.%09d %d'):format(stat.mtime.sec, stat.mtime.nsec, stat.size) or ''
end

--- How often Neovim wrote the buffer, in whatever autocommand.
---@param bufnr integer
---@return integer
local function writes(bufnr)
  return vim.fn.undotree(bufnr).save_last
end

---@param bufnr integer
local function note(bufnr)
  known[bufnr] = { stamp = stamp(bufnr), writes = writes(bufnr) }
end

--- Sends the changes that Neovim still gathers: a save that came before them would be one of the text before.
local function flush(client, bufnr)
  pcall(function()
    require('vim.lsp._changetracking').flush(client, bufnr)
  end)
end

--- Tells the server of a write of Neovim's own if the buffer has nothing unsaved.
---@param bufnr integer
local function tell(bufnr)
  local before = known[bufnr]
  if before == nil or vim.bo[bufnr].modified then
    return
  end
  local now = stamp(bufnr)
  if now == before.stamp or now == '' then
    return
  end
  note(bufnr)
  -- Somebody else wrote it, and perhaps Neovim has read it again.
  if known[bufnr].writes == before.writes then
    return
  end
  local client = require('deconflict.client').get(bufnr)
  if client and vim.lsp.buf_is_attached(bufnr, client.id) then
    flush(client, bufnr)
    compat.notify(
      client,
      'textDocument/didSave',
      { textDocument = { uri = vim.uri_from_bufnr(bufnr) } }
    )
  end
end

--- Begins to look after a buffer.
---@param bufnr integer
function M.attach(bufnr)
  if not known[bufnr] then
    note(bufnr)
  end
end

vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufWritePost', 'FileChangedShellPost' }, {
  group = group,
  desc = 'deconflict: what everybody knows of a file',
  callback = function(event)
    note(event.buf)
  end,
})

vim.api.nvim_create_autocmd('BufModifiedSet', {
  group = group,
  desc = 'deconflict: tell of a write that nothing else tells of',
  callback = function(event)
    tell(event.buf)
  end,
})

-- A change that is written at once leaves nothing unsaved behind, of which `BufModifiedSet` would tell.
vim.api.nvim_create_autocmd({ 'TextChanged', 'TextChangedI', 'InsertLeave' }, {
  group = group,
  desc = 'deconflict: tell of a change that was written at once',
  callback = function(event)
    vim.schedule(function()
      if vim.api.nvim_buf_is_loaded(event.buf) then
        tell(event.buf)
      end
    end)
  end,
})

-- Of the other buffers that one command writes, such as `wall` when the focus goes.
vim.api.nvim_create_autocmd({ 'FocusLost', 'CursorHold', 'CursorHoldI' }, {
  group = group,
  desc = 'deconflict: tell of writes that nothing else tells of',
  callback = function()
    vim.schedule(function()
      for bufnr in pairs(known) do
        if vim.api.nvim_buf_is_loaded(bufnr) then
          tell(bufnr)
        end
      end
    end)
  end,
})

vim.api.nvim_create_autocmd('BufWipeout', {
  group = group,
  desc = 'deconflict: forget a buffer',
  callback = function(event)
    known[event.buf] = nil
  end,
})

return M
