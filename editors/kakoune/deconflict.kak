# deconflict beside the language servers that kakoune-lsp starts, for every file.
#
# Source this after kakoune-lsp was loaded and before `lsp-enable`.

define-command -hidden deconflict-serve %{
    evaluate-commands %sh{
        case "$kak_opt_lsp_servers" in *'[deconflict]'*) exit ;; esac
        # kakoune-lsp lives on when Kakoune is killed, so the server is told whom to wait for: what runs this is Kakoune.
        echo "set-option -add buffer lsp_servers %{
            [deconflict]
            args = ['lsp', '--editor', '$PPID']
            root_globs = ['.git', '.hg', 'COORDINATION']
        }"
    }
}

# A file of a known type: beside the servers of its type, which were chosen just before.
hook -group deconflict global User LSPDefaultConfig=.* deconflict-serve

# Any other file.
hook -group deconflict global BufCreate [^*].* deconflict-serve

# kakoune-lsp sends nothing of a file whose type has no name.
set-option global lsp_language_id plaintext
hook -group deconflict global BufSetOption lsp_language_id= %{
    set-option buffer lsp_language_id plaintext
}
