//! Git's own watcher of a worktree (git-fsmonitor--daemon(1)), which tells what was written since a moment. It is asked as
//! git itself does, by a few lines (gitprotocol-common(5)) over the socket in the git directory.
//!
//! It is as right as `git status` is beside it: that of git 2.55 on Linux names what is in a renamed folder by the folder's
//! old place. What somebody holds or has uncommitted changes in is looked at whatever it says.

use std::path::PathBuf;

use crate::Repository;

/// The watcher that git may have for a worktree.
#[derive(Debug, Clone)]
pub(super) struct GitWatcher {
    #[cfg_attr(not(unix), expect(dead_code, reason = "it is asked over a Unix socket"))]
    socket: PathBuf,
}

impl GitWatcher {
    pub(super) fn of(repository: &Repository) -> Self {
        Self { socket: repository.git_directory().join("fsmonitor--daemon.ipc") }
    }
}

#[cfg(unix)]
mod asked {
    use std::fs;
    use std::io::{self, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::time::Duration;

    use deconflict_platform::owned_by_user;

    use super::GitWatcher;
    use crate::git::path_from;

    /// It answers within a millisecond, unless much was just written.
    const PATIENCE: Duration = Duration::from_millis(20);

    /// A longer answer is not worth reading: then everything is looked at.
    const LONGEST: u64 = 1 << 20;

    /// What is no name of a moment is answered with that of now.
    const ANY_MOMENT: &str = "deconflict";

    impl GitWatcher {
        /// What it calls this moment; `None` where git has none that lives.
        pub(in super::super) fn now(&self) -> Option<String> {
            let answer = self.ask(ANY_MOMENT).ok()?;
            let name = answer.split(|byte| *byte == 0).next()?;
            String::from_utf8(name.to_vec()).ok().filter(|name| !name.is_empty())
        }

        /// What may have been written since a moment, by paths from the worktree's root; `None` if it doesn't know.
        pub(in super::super) fn since(&self, moment: &str) -> Option<Vec<PathBuf>> {
            let answer = self.ask(moment).ok()?;
            let mut paths = answer.split(|byte| *byte == 0).filter(|path| !path.is_empty());
            paths.next()?;
            let without_slash = paths.map(|path| path.strip_suffix(b"/").unwrap_or(path));
            // By a slash alone it says that it could be anything.
            without_slash.map(|path| (!path.is_empty()).then(|| path_from(path).to_owned())).collect()
        }

        fn ask(&self, question: &str) -> io::Result<Vec<u8>> {
            if !owned_by_user(&fs::symlink_metadata(&self.socket)?) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            let mut stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.write_all(format!("{:04x}{question}0000", question.len() + 4).as_bytes())?;
            let (mut answer, mut rest) = (Vec::new(), stream.take(LONGEST));
            loop {
                let mut length = [0; 4];
                rest.read_exact(&mut length)?;
                let length =
                    std::str::from_utf8(&length).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
                match length.map(|length| length.checked_sub(4)) {
                    // The line of no length ends it.
                    Some(None) => return Ok(answer),
                    Some(Some(length)) => {
                        let begin = answer.len();
                        answer.resize(begin + length, 0);
                        rest.read_exact(&mut answer[begin..])?;
                    }
                    None => return Err(io::ErrorKind::InvalidData.into()),
                }
            }
        }
    }
}

#[cfg(not(unix))]
impl GitWatcher {
    /// There is none that could be asked here.
    #[expect(clippy::unused_self, reason = "elsewhere it is asked")]
    pub(super) fn now(&self) -> Option<String> {
        None
    }

    /// There is none that could be asked here.
    #[expect(clippy::unused_self, reason = "elsewhere it is asked")]
    pub(super) fn since(&self, _: &str) -> Option<Vec<PathBuf>> {
        None
    }
}
