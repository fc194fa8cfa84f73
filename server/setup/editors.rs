//! The table of editors. Coding agents have one of their own, which the program hands in.

use crate::target::{ExtensionHost, Guide, Method, Need, SetupTarget, UserFolder};

/// The program itself, which everything else starts.
pub static PROGRAM: SetupTarget =
    SetupTarget { name: "program", title: "The program", aliases: &[], commands: &[], method: Method::Program };

/// The editors that can be wired.
pub static EDITORS: [SetupTarget; 10] = [
    SetupTarget {
        name: "neovim",
        title: "Neovim",
        aliases: &["nvim"],
        commands: &["nvim"],
        method: Method::NeovimPackage,
    },
    SetupTarget {
        name: "vscode",
        title: "VS Code",
        aliases: &["code"],
        commands: &["code"],
        method: Method::Extension(ExtensionHost {
            elsewhere: Some("/Applications/Visual Studio Code.app/Contents/Resources/app/bin/code"),
            extensions: UserFolder { variable: Some("VSCODE_EXTENSIONS"), in_home: ".vscode/extensions", below: "" },
            remote_extensions: Some(".vscode-server/extensions"),
        }),
    },
    SetupTarget {
        name: "vscode-insiders",
        title: "VS Code Insiders",
        aliases: &["code-insiders"],
        commands: &["code-insiders"],
        method: Method::Extension(ExtensionHost {
            elsewhere: Some("/Applications/Visual Studio Code - Insiders.app/Contents/Resources/app/bin/code"),
            extensions: UserFolder::in_home(".vscode-insiders/extensions"),
            remote_extensions: Some(".vscode-server-insiders/extensions"),
        }),
    },
    SetupTarget {
        name: "vscodium",
        title: "VSCodium",
        aliases: &["codium"],
        commands: &["codium", "vscodium"],
        method: Method::Extension(ExtensionHost {
            elsewhere: Some("/Applications/VSCodium.app/Contents/Resources/app/bin/codium"),
            extensions: UserFolder::in_home(".vscode-oss/extensions"),
            remote_extensions: Some(".vscodium-server/extensions"),
        }),
    },
    SetupTarget {
        name: "cursor",
        title: "Cursor",
        aliases: &[],
        commands: &["cursor"],
        method: Method::Extension(ExtensionHost {
            elsewhere: Some("/Applications/Cursor.app/Contents/Resources/app/bin/cursor"),
            extensions: UserFolder::in_home(".cursor/extensions"),
            remote_extensions: Some(".cursor-server/extensions"),
        }),
    },
    SetupTarget {
        name: "code-server",
        title: "code-server",
        aliases: &[],
        commands: &["code-server"],
        method: Method::Extension(ExtensionHost {
            elsewhere: None,
            extensions: UserFolder {
                variable: Some("XDG_DATA_HOME"),
                in_home: ".local/share",
                below: "code-server/extensions",
            },
            remote_extensions: None,
        }),
    },
    SetupTarget {
        name: "helix",
        title: "Helix",
        aliases: &["hx"],
        commands: &["hx", "helix"],
        method: Method::ByHand(Guide {
            settings: "helix",
            in_home: None,
            text: "Copy these into your configuration, or add what is in them to yours:\n\n    {folder}/languages.toml → \
                   ~/.config/helix/languages.toml\n    {folder}/config.toml → ~/.config/helix/config.toml\n",
            needs: None,
        }),
    },
    SetupTarget {
        name: "emacs",
        title: "Emacs",
        aliases: &[],
        commands: &["emacs"],
        method: Method::ByHand(Guide {
            settings: "emacs",
            in_home: Some(".emacs.d"),
            text: "Add this to your init file, after your own Eglot settings:\n\n    (load \"{folder}/deconflict.el\")\n",
            needs: Some(Need {
                arguments: &[
                    "--batch",
                    "--eval",
                    "(progn (require 'package) (package-initialize) (kill-emacs (if (locate-library \"eglot\") 0 1)))",
                ],
                lacking: "This Emacs has no Eglot, which it needs to take part. Emacs 29 and later include it; in an older one: M-x package-install RET eglot RET",
            }),
        }),
    },
    SetupTarget {
        name: "kakoune",
        title: "Kakoune",
        aliases: &["kak"],
        commands: &["kak"],
        method: Method::ByHand(Guide {
            settings: "kak",
            in_home: None,
            text: "Add this to your kakrc, after kakoune-lsp and before lsp-enable:\n\n    source \
                   \"{path}/deconflict.kak\"\n",
            needs: None,
        }),
    },
    SetupTarget {
        name: "zed",
        title: "Zed",
        aliases: &[],
        commands: &["zed", "zeditor"],
        method: Method::ByHand(Guide {
            settings: "zed",
            in_home: None,
            // Zed builds what is in the folder itself, with the user's own Rust.
            text: "Open the command palette, choose \"zed: install dev extension\", and then this folder:\n\n    \
                   {folder}\n",
            needs: None,
        }),
    },
];
