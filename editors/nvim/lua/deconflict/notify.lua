--- Short notices.
local M = {}

-- A notice that does not fit into the command line stays this long.
local FLOAT_MS = 10 * 1000
local FLOAT_COLUMNS = 60

local float ---@type integer? the window of the last long notice

--- Shows a notice without ever stopping the user: Neovim's own `vim.notify` asks for Enter when a
--- text does not fit into the command line, so there it is cut, and a float shows the whole for a
--- while.
---@param text string
---@param level integer? Information unless it says otherwise.
function M.show(text, level)
  text = vim.trim(text)
  level = level or vim.log.levels.INFO
  if not M._is_builtin() then
    vim.notify(text, level, { title = 'deconflict' })
    return
  end
  local line = 'deconflict: ' .. M._one_line(text)
  local short = M.fit(line, vim.v.echospace)
  local highlight = ({
    [vim.log.levels.ERROR] = 'ErrorMsg',
    [vim.log.levels.WARN] = 'WarningMsg',
  })[level]
  vim.api.nvim_echo({ { short, highlight } }, true, {})
  if short ~= line then
    M._float(text, highlight)
  end
end

--- The text on one line of at most so many columns.
---@param text string
---@param columns integer
---@return string
function M.fit(text, columns)
  text = M._one_line(text)
  if vim.fn.strdisplaywidth(text) <= columns then
    return text
  end
  local count = vim.fn.strchars(text)
  repeat
    count = count - 1
    local cut = vim.fn.strcharpart(text, 0, count) .. '…'
  until count <= 0 or vim.fn.strdisplaywidth(cut) <= columns
  return vim.fn.strcharpart(text, 0, math.max(count, 0)) .. '…'
end

function M._one_line(text)
  return (text:gsub('%s*[\r\n]+%s*', ' · '):gsub('%c', ' '))
end

--- Neovim's own code has no file on disk as its source.
function M._is_builtin()
  local source = debug.getinfo(vim.notify, 'S').source
  return source:sub(-1) == '?' or source:find('vim/_', 1, true) ~= nil
end

--- Shows the text in the corner, where it takes neither the cursor nor a key.
function M._float(text, highlight)
  local lines = require('deconflict.view').lines_of(text)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, lines)
  local width = math.min(FLOAT_COLUMNS, vim.o.columns - 4)
  M._close(float)
  local window = vim.api.nvim_open_win(bufnr, false, {
    relative = 'editor',
    anchor = 'NE',
    row = 1,
    col = vim.o.columns - 1,
    width = width,
    height = 1,
    style = 'minimal',
    border = 'rounded',
    title = ' deconflict ',
    focusable = false,
    noautocmd = true,
  })
  vim.wo[window].wrap = true
  vim.wo[window].linebreak = true
  require('deconflict.view').fit_height(window, 0.5)
  vim.wo[window].winhighlight = 'FloatBorder:' .. (highlight or 'FloatBorder')
  float = window
  vim.defer_fn(function()
    M._close(window)
  end, FLOAT_MS)
end

function M._close(window)
  if window and vim.api.nvim_win_is_valid(window) then
    vim.api.nvim_win_close(window, true)
  end
end

return M
