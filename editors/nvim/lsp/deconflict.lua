-- For `vim.lsp.enable('deconflict')`, in Neovim 0.11 and later, beside the plugin's own attaching: both lead to the one
-- server of this Neovim. Without the plugin, nvim-lspconfig has a configuration of this name.
return {
  cmd = { 'deconflict', 'lsp' },
  root_dir = function(bufnr)
    require('deconflict.client').attach(bufnr)
  end,
}
