//! The message of a commit: from the command line or the user's editor, past the repository's hooks, cleaned up as git
//! does it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::error::{CommitError, failed};
use super::preparing::{Committing, text};
use crate::git::{self, answer};

/// Where the message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording<'a> {
    /// It is this.
    Given(&'a str),
    /// The user writes it in an editor, below which these lines say what is committed.
    Edited(&'a str),
}

/// How git cleans a message up (git-commit(1), `--cleanup`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CleanUp {
    Verbatim,
    Whitespace,
    Strip,
    Scissors,
}

/// What is below this line, made a comment, is not part of the message.
const SCISSORS: &str = "------------------------ >8 ------------------------";

impl Wording<'_> {
    /// True if an editor is opened.
    pub fn has_editor(self) -> bool {
        matches!(self, Self::Edited(_))
    }
}

impl Committing {
    /// Has the message written, and gives it as it will be committed.
    pub fn message(&self, wording: Wording) -> Result<String, CommitError> {
        let path = self.folder.path().join("COMMIT_EDITMSG");
        let clean_up = self.clean_up(wording)?;
        let template = match wording {
            Wording::Given(_) => None,
            Wording::Edited(_) => self.template()?,
        };
        let begun = match wording {
            Wording::Given(given) if clean_up == CleanUp::Verbatim => given.to_owned(),
            Wording::Given(given) => self.strip(given, false)?,
            Wording::Edited(listing) => {
                let begun = template.clone().unwrap_or_else(|| "\n".to_owned());
                begun + &self.as_comment(&explanation(listing, clean_up))?
            }
        };
        fs::write(&path, begun).map_err(failed("write", &path))?;
        let source = match wording {
            Wording::Given(_) => Some("message"),
            Wording::Edited(_) => template.as_ref().map(|_| "template"),
        };
        let arguments: Vec<&Path> = [path.as_path()].into_iter().chain(source.map(Path::new)).collect();
        self.run_hook("prepare-commit-msg", &arguments, wording.has_editor())?;
        if wording.has_editor() {
            self.edit(&path)?;
        }
        self.run_hook("commit-msg", &[&path], wording.has_editor())?;
        let written = fs::read(&path).map_err(failed("read", &path))?;
        let written = String::from_utf8_lossy(&written).into_owned();
        let message = self.cleaned(&written, clean_up)?;
        let is_untouched = match &template {
            Some(template) => self.cleaned(template, clean_up)? == message,
            None => false,
        };
        if is_untouched || is_empty(&message) { Err(CommitError::NoMessage) } else { Ok(message) }
    }

    fn clean_up(&self, wording: Wording) -> Result<CleanUp, CommitError> {
        let default = if wording.has_editor() { CleanUp::Strip } else { CleanUp::Whitespace };
        Ok(match self.configured("commit.cleanup")?.as_deref() {
            Some("verbatim") => CleanUp::Verbatim,
            Some("strip") => CleanUp::Strip,
            Some("scissors") if wording.has_editor() => CleanUp::Scissors,
            Some("whitespace" | "scissors") => CleanUp::Whitespace,
            _ => default,
        })
    }

    fn template(&self) -> Result<Option<String>, CommitError> {
        let mut git = self.git();
        git.args(["config", "--type=path", "--get", "commit.template"]);
        let output = git::run(git, b"").map_err(git::GitError::NoGit)?;
        if !output.status.success() {
            return Ok(None);
        }
        let path = self.root.join(text(&output.stdout));
        let template = fs::read(&path).map_err(failed("read", &path))?;
        Ok(Some(String::from_utf8_lossy(&template).into_owned()))
    }

    fn edit(&self, path: &Path) -> Result<(), CommitError> {
        let mut git = self.git();
        git.args(["var", "GIT_EDITOR"]);
        let editor = text(&answer(git, "which editor is yours", b"")?);
        // Git runs it so too: what is configured may be a command with words and quotes.
        let mut shell = Command::new("sh");
        shell.current_dir(&self.root).arg("-c").arg(format!("{editor} \"$@\"")).arg(&editor).arg(path);
        let ended = shell.status().map_err(failed("run", Path::new(&editor)))?;
        if ended.success() { Ok(()) } else { Err(CommitError::Editor(editor)) }
    }

    fn cleaned(&self, written: &str, clean_up: CleanUp) -> Result<String, CommitError> {
        match clean_up {
            CleanUp::Verbatim => Ok(written.to_owned()),
            CleanUp::Whitespace => self.strip(written, false),
            CleanUp::Strip => self.strip(written, true),
            CleanUp::Scissors => {
                let line = self.as_comment(SCISSORS)?;
                let kept = written.find(line.trim_end()).map_or(written, |cut| &written[..cut]);
                self.strip(kept, false)
            }
        }
    }

    fn strip(&self, text: &str, comments_too: bool) -> Result<String, CommitError> {
        let mut git = self.git();
        git.arg("stripspace");
        if comments_too {
            git.arg("--strip-comments");
        }
        let stripped = answer(git, "how to clean the message up", text.as_bytes())?;
        Ok(String::from_utf8_lossy(&stripped).into_owned())
    }

    fn as_comment(&self, text: &str) -> Result<String, CommitError> {
        let mut git = self.git();
        git.args(["stripspace", "--comment-lines"]);
        let commented = answer(git, "how to comment", text.as_bytes())?;
        Ok(String::from_utf8_lossy(&commented).into_owned())
    }
}

fn explanation(listing: &str, clean_up: CleanUp) -> String {
    let rule = match clean_up {
        CleanUp::Scissors => format!("{SCISSORS}\nDo not change the line above. All below it is ignored.\n"),
        CleanUp::Strip => {
            "Write the message of the commit. Lines like this are ignored, and an empty message makes no \
                           commit.\n"
                .to_owned()
        }
        CleanUp::Verbatim | CleanUp::Whitespace => {
            "Write the message of the commit. Remove lines like this yourself; an empty message makes no commit.\n"
                .to_owned()
        }
    };
    format!("{rule}\n{listing}")
}

/// A message of nothing but a signature says nothing.
fn is_empty(message: &str) -> bool {
    message.lines().all(|line| line.trim().is_empty() || line.starts_with("Signed-off-by: "))
}
