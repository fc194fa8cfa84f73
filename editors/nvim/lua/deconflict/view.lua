--- Windows for what is longer than a notice.
local M = {}

-- A session, a claim or a change without its first columns says nothing.
local MOST_NEEDED = 4

local namespace = vim.api.nvim_create_namespace('deconflict.view')

--- Other people's text as one clean line after another.
---@param text any
---@return string[]
function M.lines_of(text)
  if type(text) ~= 'string' then
    return {}
  end
  return vim.tbl_map(function(line)
    return (line:gsub('%c', ' '))
  end, vim.split(vim.trim(text), '\r?\n'))
end

---@class deconflict.Line
---@field [1] string the text
---@field [2] string? a highlight group for the whole line
---@field [3] { [1]: integer, [2]: integer, [3]: string }[]? groups for parts of it: from and to which byte

--- Opens a window to be read, a float or a split as the user likes it, that `q` or Escape closes.
---@param title string
---@param lines deconflict.Line[]
---@param keys table<string, { [1]: string, [2]: fun(row: integer) }>? more keys, with what they do
---@return integer window
function M.open(title, lines, keys)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].filetype = 'deconflict'
  M._fill(bufnr, lines)
  local help = { 'q close' }
  for key, action in vim.spairs(keys or {}) do
    table.insert(help, key .. ' ' .. action[1])
  end

  local as_split = require('deconflict.config').options().view == 'split'
  local window = (as_split and M._split or M._float)(
    bufnr,
    title,
    table.concat(help, ' · '),
    lines
  )
  local function close()
    if vim.api.nvim_win_is_valid(window) then
      vim.api.nvim_win_close(window, true)
    end
  end
  for _, key in ipairs({ 'q', '<Esc>' }) do
    vim.keymap.set('n', key, close, { buffer = bufnr, nowait = true, desc = 'Close' })
  end
  for key, action in pairs(keys or {}) do
    vim.keymap.set('n', key, function()
      action[2](vim.api.nvim_win_get_cursor(window)[1])
    end, { buffer = bufnr, nowait = true, desc = action[1] })
  end
  return window
end

--- How wide the text of a float can be.
---@return integer
function M.widest()
  return math.min(math.floor(vim.o.columns * 0.9), 100) - 2
end

--- Rows of cells, each a text and its group, as lines whose columns stand below each other. What comes last matters
--- least: of many columns it goes where there is no room.
function M.aligned(rows, room)
  local widths = {}
  for _, row in ipairs(rows) do
    for column, cell in ipairs(row) do
      cell[1] = cell[1]:gsub('%c', ' ')
      widths[column] = math.max(widths[column] or 0, vim.fn.strdisplaywidth(cell[1]))
    end
  end
  while #widths > MOST_NEEDED and vim.iter(widths):fold(1, M._with_gap) > room do
    table.remove(widths)
  end
  return vim.tbl_map(function(row)
    local line, parts = ' ', {}
    for column, cell in ipairs(row) do
      if (widths[column] or 0) > 0 then
        line = line .. ' '
        if cell[2] and cell[1] ~= '' then
          table.insert(parts, { #line, #line + #cell[1], cell[2] })
        end
        local padding = column < #widths and widths[column] - vim.fn.strdisplaywidth(cell[1]) + 1
          or 0
        line = line .. cell[1] .. (' '):rep(padding)
      end
    end
    return { line, nil, parts }
  end, rows)
end

function M._with_gap(total, width)
  return total + (width > 0 and width + 2 or 0)
end

function M._float(bufnr, title, help, lines)
  local widest = math.max(vim.fn.strdisplaywidth(title), vim.fn.strdisplaywidth(help)) + 4
  for _, line in ipairs(lines) do
    widest = math.max(widest, vim.fn.strdisplaywidth(line[1]))
  end
  local width = math.max(1, math.min(widest, M.widest()) + 2)
  local window = vim.api.nvim_open_win(bufnr, true, {
    relative = 'editor',
    width = width,
    height = 1,
    row = 1,
    col = math.floor((vim.o.columns - width) / 2),
    style = 'minimal',
    border = 'rounded',
    title = ' ' .. title .. ' ',
    footer = ' ' .. help .. ' ',
    footer_pos = 'right',
  })
  M._wrap(window)
  local height = M.fit_height(window, 0.7)
  local placed = vim.api.nvim_win_get_config(window)
  placed.row = math.max(0, math.floor((vim.o.lines - height) / 2) - 2)
  vim.api.nvim_win_set_config(window, placed)
  return window
end

function M._split(bufnr, title, help)
  vim.cmd('botright split')
  local window = vim.api.nvim_get_current_win()
  vim.api.nvim_win_set_buf(window, bufnr)
  for _, option in ipairs({ 'number', 'relativenumber', 'list', 'spell' }) do
    vim.wo[window][option] = false
  end
  vim.wo[window].signcolumn = 'no'
  vim.wo[window].winfixheight = true
  vim.wo[window].statusline = (' %s%%=%s '):format(title, help)
  M._wrap(window)
  M.fit_height(window, 0.5)
  return window
end

function M._wrap(window)
  vim.wo[window].wrap = true
  vim.wo[window].linebreak = true
  vim.wo[window].breakindent = true
end

--- Makes a window as high as its text is when wrapped, but not higher than this part of the screen.
---@param window integer
---@param part number
---@return integer height
function M.fit_height(window, part)
  local text = vim.api.nvim_win_text_height(window, {}).all
  local height = math.max(1, math.min(text, math.floor(vim.o.lines * part)))
  vim.api.nvim_win_set_height(window, height)
  return height
end

--- Opens a file to be read in a split, which `q` closes. It follows what is written to the file.
---@param path string
function M.split(path)
  for _, window in ipairs(vim.api.nvim_list_wins()) do
    local name = vim.api.nvim_buf_get_name(vim.api.nvim_win_get_buf(window))
    if name ~= '' and vim.uv.fs_realpath(name) == vim.uv.fs_realpath(path) then
      vim.api.nvim_set_current_win(window)
      vim.cmd.checktime()
      return
    end
  end
  vim.cmd.split({ args = { path }, magic = { file = false }, mods = { split = 'botright' } })
  vim.bo.modifiable = false
  vim.bo.readonly = true
  vim.bo.autoread = true
  vim.bo.buflisted = false
  vim.bo.bufhidden = 'wipe'
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = 0, nowait = true, desc = 'Close' })
end

function M._fill(bufnr, lines)
  vim.api.nvim_buf_set_lines(
    bufnr,
    0,
    -1,
    true,
    vim.tbl_map(function(line)
      return line[1]
    end, lines)
  )
  for row, line in ipairs(lines) do
    if line[2] then
      vim.api.nvim_buf_set_extmark(bufnr, namespace, row - 1, 0, {
        end_col = #line[1],
        hl_group = line[2],
      })
    end
    for _, part in ipairs(line[3] or {}) do
      vim.api.nvim_buf_set_extmark(bufnr, namespace, row - 1, part[1], {
        end_col = part[2],
        hl_group = part[3],
      })
    end
  end
  vim.bo[bufnr].modifiable = false
end

return M
