--- What was changed in a file, by whom and by what, and the way back.
local notify = require('deconflict.notify')
local server = require('deconflict.server')
local text = require('deconflict.text')
local view = require('deconflict.view')

local M = {}

--- Groups of the colourscheme, by what they stand for.
local NAME, FAINT, WARNING = 'Identifier', 'Comment', 'DiagnosticWarn'

--- Changes that are made below this file's text are read by the editor itself.
local function look_at_disk(uri)
  local bufnr = vim.fn.bufnr(vim.uri_to_fname(uri))
  if bufnr > 0 and vim.api.nvim_buf_is_loaded(bufnr) then
    vim.cmd.checktime({ args = { tostring(bufnr) } })
  end
end

--- Reads the changes of a file, newest first.
local function read(uri, found)
  server.execute('history', { uri = uri }, function(result)
    local changes = result.entries or {}
    if #changes == 0 then
      notify.show('no change of ' .. M._file_name(uri) .. ' is kept')
      return
    end
    found(changes)
  end)
end

--- Lists what was changed in a file.
---@param uri string
function M.show(uri)
  read(uri, function(changes)
    local window
    local function chosen(act)
      return function(row)
        local change = changes[row]
        if change then
          vim.api.nvim_win_close(window, true)
          act(uri, change.id)
        end
      end
    end
    window = view.open('History of ' .. M._file_name(uri), M._lines(changes), {
      ['<CR>'] = { 'diff', chosen(M.diff) },
      r = { 'restore', chosen(M.restore) },
    })
  end)
end

--- Shows what stood before and after a change beside each other, in a tab of its own that `q` closes.
---@param uri string
---@param entry string
function M.diff(uri, entry)
  server.execute('history', { uri = uri, entry = entry }, function(result)
    local change = (result.entries or {})[1] or {}
    local texts = result.texts or {}
    if not texts.before or not texts.after then
      notify.show('what was there is not kept, or is no text', vim.log.levels.WARN)
      return
    end
    vim.cmd.tabnew()
    local title = ('%s, %s'):format(M._who(change), text.time(change.at))
    M._side(uri, 'before ' .. title, texts.before)
    vim.cmd('rightbelow vsplit')
    vim.cmd.enew()
    M._side(uri, 'after ' .. title, texts.after)
  end)
end

--- Brings back what stood before a change.
---@param uri string
---@param entry string
function M.restore(uri, entry)
  server.execute('restore', { uri = uri, entry = entry }, function()
    look_at_disk(uri)
    notify.show('restored ' .. M._file_name(uri) .. '; a restore is in :Deconflict history too')
  end)
end

--- Asks what is to stand there again.
---@param uri string
function M.ask_restore(uri)
  read(uri, function(changes)
    local options = { prompt = 'Restore what was there before', format_item = M._words }
    vim.ui.select(changes, options, function(change)
      if change then
        M.restore(uri, change.id)
      end
    end)
  end)
end

--- Takes what others wrote to the file into the text that is edited here.
---@param argument table
function M.merge(argument)
  server.execute('merge', argument, function(result)
    notify.show(
      result.conflicts and 'you both changed the same lines: they are marked, choose what stays'
        or 'merged; ":write!" saves it once you are happy with it'
    )
  end)
end

--- Says who wrote the line that the cursor is in.
---@param argument table
function M.blame(argument)
  local row = vim.api.nvim_win_get_cursor(0)[1]
  argument.line = row
  server.execute('blame', argument, function(result)
    for _, line in ipairs(result.lines or {}) do
      if line.line == row then
        notify.show(('line %d: %s'):format(row, M._blamed(line)))
        return
      end
    end
    notify.show(('line %d is not saved yet: it is yours'):format(row))
  end)
end

--- Takes note of what the first line says, so that it warns no more.
---@param uri string
function M.acknowledge(uri)
  local bufnr = vim.uri_to_bufnr(uri)
  local found = vim.tbl_filter(function(diagnostic)
    return diagnostic.source == 'deconflict'
  end, vim.diagnostic.get(bufnr))
  if #found == 0 then
    notify.show('there is nothing to acknowledge')
  end
  for _, diagnostic in ipairs(found) do
    server.execute('acknowledge', { uri = uri, code = diagnostic.code })
  end
end

function M._file_name(uri)
  return vim.fs.basename(vim.uri_to_fname(uri))
end

function M._who(change)
  return view.lines_of(change.label)[1] or 'unknown'
end

function M._how(change)
  return change.cause == 'command' and (view.lines_of(change.command)[1] or 'command')
    or change.cause
    or ''
end

--- How many lines came and went, and whether the file did.
function M._extent(change)
  local parts = {}
  if not change.before then
    table.insert(parts, 'created')
  elseif not change.after then
    table.insert(parts, 'deleted')
  end
  if (change.added or 0) > 0 then
    table.insert(parts, ('+%d'):format(change.added))
  end
  if (change.removed or 0) > 0 then
    table.insert(parts, ('−%d'):format(change.removed))
  end
  return table.concat(parts, ' ')
end

function M._words(change)
  return ('%s · %s · %s · %s'):format(
    text.time(change.at),
    M._who(change),
    M._how(change),
    M._extent(change)
  )
end

function M._lines(changes)
  local rows = vim.tbl_map(function(change)
    return {
      { text.time(change.at), FAINT },
      { M._who(change), change.label and NAME or WARNING },
      { M._extent(change) },
      { M._how(change) },
    }
  end, changes)
  return view.aligned(rows, view.widest())
end

function M._blamed(line)
  local who = view.lines_of(line.label)[1]
    or view.lines_of(line.author)[1]
    or 'someone unknown here'
  local commit = line.commit and ('commit ' .. line.commit:sub(1, 9)) or 'not committed yet'
  return ('%s, %s, %s'):format(who, text.time(line.at), commit)
end

--- Fills the window with what stood in the file at another time.
function M._side(uri, title, content)
  local bufnr = vim.api.nvim_get_current_buf()
  vim.bo[bufnr].buftype = 'nofile'
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].swapfile = false
  local lines = vim.split(content, '\n')
  if lines[#lines] == '' then
    table.remove(lines)
  end
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, lines)
  vim.bo[bufnr].filetype = vim.filetype.match({ filename = vim.uri_to_fname(uri) }) or ''
  vim.bo[bufnr].modifiable = false
  vim.wo.winbar = ' ' .. title:gsub('%%', '%%%%')
  vim.cmd.diffthis()
  vim.keymap.set('n', 'q', '<Cmd>tabclose<CR>', { buffer = bufnr, nowait = true, desc = 'Close' })
end

return M
