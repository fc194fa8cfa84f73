//! What can be set up: the program itself, editors and coding agents. One file for each way of doing it.

mod agents;
mod by_hand;
mod neovim;
mod program;
mod vscode;

use std::path::{Path, PathBuf};

use super::Error;
use super::places::Places;
use super::wish::Wish;

pub(super) use program::program_place;
pub(super) use vscode::installed as installed_extension;

/// Something that is set up, updated and removed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The program, in a place where it stays.
    Program,
    /// Neovim.
    Neovim,
    /// Visual Studio Code.
    VsCode,
    /// The daily build of Visual Studio Code.
    VsCodeInsiders,
    /// `VSCodium`.
    VsCodium,
    /// Cursor, the editor.
    Cursor,
    /// code-server.
    CodeServer,
    /// Helix.
    Helix,
    /// Emacs.
    Emacs,
    /// Kakoune.
    Kakoune,
    /// Zed.
    Zed,
    /// Claude Code.
    ClaudeCode,
    /// Codex.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// Cursor's agent.
    CursorAgent,
    /// opencode.
    OpenCode,
}

/// What there is to do about a part on this machine.
pub(super) enum Way {
    /// It can be done here and now.
    Wish(Box<Wish>),
    /// It cannot be done before something else is: what that is.
    Missing(String),
}

impl Part {
    /// Everything but the program, in the order in which it is told.
    pub const WIRED: [Self; 15] = [
        Self::Neovim,
        Self::VsCode,
        Self::VsCodeInsiders,
        Self::VsCodium,
        Self::Cursor,
        Self::CodeServer,
        Self::Helix,
        Self::Emacs,
        Self::Kakoune,
        Self::Zed,
        Self::ClaudeCode,
        Self::Codex,
        Self::Gemini,
        Self::CursorAgent,
        Self::OpenCode,
    ];

    /// The word for it on the command line and in the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Neovim => "neovim",
            Self::VsCode => "vscode",
            Self::VsCodeInsiders => "vscode-insiders",
            Self::VsCodium => "vscodium",
            Self::Cursor => "cursor",
            Self::CodeServer => "code-server",
            Self::Helix => "helix",
            Self::Emacs => "emacs",
            Self::Kakoune => "kakoune",
            Self::Zed => "zed",
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::CursorAgent => "cursor-agent",
            Self::OpenCode => "opencode",
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Program => "The program",
            Self::Neovim => "Neovim",
            Self::VsCode => "VS Code",
            Self::VsCodeInsiders => "VS Code Insiders",
            Self::VsCodium => "VSCodium",
            Self::Cursor => "Cursor",
            Self::CodeServer => "code-server",
            Self::Helix => "Helix",
            Self::Emacs => "Emacs",
            Self::Kakoune => "Kakoune",
            Self::Zed => "Zed",
            Self::ClaudeCode => "Claude Code",
            Self::Codex => "Codex",
            Self::Gemini => "Gemini CLI",
            Self::CursorAgent => "Cursor's agent",
            Self::OpenCode => "opencode",
        }
    }

    /// Other words for it on the command line.
    pub fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Neovim => &["nvim"],
            Self::VsCode => &["code"],
            Self::VsCodeInsiders => &["code-insiders"],
            Self::VsCodium => &["codium"],
            Self::Helix => &["hx"],
            Self::Kakoune => &["kak"],
            Self::ClaudeCode => &["claude"],
            Self::Gemini => &["gemini-cli"],
            // Cursor is an editor and an agent.
            Self::CursorAgent => &["cursor"],
            _ => &[],
        }
    }

    /// True if a word on the command line means this.
    pub fn is_called(self, word: &str) -> bool {
        self.name() == word || self.aliases().contains(&word)
    }

    /// True if only the user can finish it.
    pub fn is_by_hand(self) -> bool {
        matches!(self, Self::Helix | Self::Emacs | Self::Kakoune | Self::Zed)
    }

    /// True if it is on this machine: its program is on the `PATH`, or it left its settings behind.
    pub(super) fn is_found(self, places: &Places) -> bool {
        match self {
            Self::Program => true,
            Self::Neovim => neovim::is_found(places),
            Self::Helix | Self::Emacs | Self::Kakoune | Self::Zed => by_hand::is_found(self, places),
            Self::ClaudeCode | Self::Codex | Self::Gemini | Self::CursorAgent | Self::OpenCode => {
                agents::is_found(self, places)
            }
            Self::VsCode | Self::VsCodeInsiders | Self::VsCodium | Self::Cursor | Self::CodeServer => {
                vscode::is_found(self, places)
            }
        }
    }

    /// What there is to do about it, with the program in its lasting place.
    pub(super) fn way(self, places: &Places, program: &Path) -> Result<Way, Error> {
        Ok(match self {
            Self::Program => program::way(places)?,
            Self::Neovim => neovim::way(places),
            Self::Helix | Self::Emacs | Self::Kakoune | Self::Zed => by_hand::way(self, places, program),
            Self::ClaudeCode | Self::Codex | Self::Gemini | Self::CursorAgent | Self::OpenCode => {
                agents::way(self, places, program)
            }
            Self::VsCode | Self::VsCodeInsiders | Self::VsCodium | Self::Cursor | Self::CodeServer => {
                vscode::way(self, places, program)
            }
        })
    }
}

impl Way {
    fn wish(wish: Wish) -> Self {
        Self::Wish(Box::new(wish))
    }
}

/// A folder of `editors/` on the disk, without what is told to people who install by hand.
fn own_files(files: Vec<super::carried::File>, root: &Path) -> Vec<super::wish::OwnFile> {
    let is_wanted = |name: &str| !matches!(name, "README.md" | ".claude-plugin/marketplace.json");
    let files = files.into_iter().filter(|(name, _)| is_wanted(name));
    files.map(|(name, content)| super::wish::OwnFile::new(joined(root, &name), content)).collect()
}

/// A path below a folder, of a name with `/` in it.
fn joined(root: &Path, name: &str) -> PathBuf {
    name.split('/').fold(root.to_owned(), |path, part| path.join(part))
}
