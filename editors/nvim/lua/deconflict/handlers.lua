--- What the server says by itself.
local compat = require('deconflict.compat')
local notify = require('deconflict.notify')

local LEVELS = {
  vim.log.levels.ERROR,
  vim.log.levels.WARN,
  vim.log.levels.INFO,
  vim.log.levels.INFO,
  vim.log.levels.DEBUG,
}

return {
  ['window/showMessage'] = function(_, result)
    local level = LEVELS[result.type] or vim.log.levels.INFO
    require('deconflict.events').emit(
      'DeconflictMessage',
      { message = result.message, level = level }
    )
    notify.show(result.message, level)
    return vim.NIL
  end,

  -- Never in place of what is being edited.
  ['window/showDocument'] = function(err, result, context, config)
    if result.external then
      return vim.lsp.handlers['window/showDocument'](err, result, context, config)
    end
    require('deconflict.view').split(vim.uri_to_fname(result.uri))
    return { success = true }
  end,

  ['textDocument/inlayHint'] = function(...)
    return require('deconflict.hints').answer(...)
  end,

  ['workspace/inlayHint/refresh'] = function(err, result, context, config)
    local client = vim.lsp.get_client_by_id(context.client_id)
    if client then
      require('deconflict.hints').refresh(client)
    end
    return vim.lsp.handlers['workspace/inlayHint/refresh'](err, result, context, config)
  end,

  ['deconflict/status'] = function(_, result, context)
    require('deconflict.status').update(context.client_id, compat.without_nulls(result) or {})
  end,
}
