//! A git directory's files, opened so that nothing outside of it is read or written through a link that stands in it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use deconflict_platform::{Sharing, check_regular, read_at_most};

/// Git's small files are never longer; a longer one is not git's.
pub(crate) const LONGEST_SMALL_FILE: u64 = 1 << 20;

/// An open git directory. Links that stay in it are followed, others are errors.
#[derive(Debug)]
pub(crate) struct GitDirectory(Dir);

impl GitDirectory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Dir::open_ambient_dir(path, ambient_authority()).map(Self)
    }

    /// Opens a regular file. `name` is relative.
    pub(crate) fn file(&self, name: impl AsRef<Path>) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).nonblock(true);
        regular(self.0.open_with(name, &options)?)
    }

    /// The text of one of git's small files, where what is not UTF-8 is replaced.
    pub(crate) fn text(&self, name: impl AsRef<Path>) -> io::Result<String> {
        let bytes = read_at_most(self.file(name)?, LONGEST_SMALL_FILE)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The names in a folder of it; none if it is missing. What is not UTF-8 is none of git's.
    pub(crate) fn names(&self, folder: &str) -> impl Iterator<Item = String> + use<> {
        let entries = self.0.read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok())
    }

    /// Adds a line to a file in a folder, both made where they are missing and neither of them a link.
    pub(crate) fn append_line(&self, folder: &str, name: &str, line: &str) -> io::Result<()> {
        match self.0.create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let folder = self.0.open_dir_nofollow(folder)?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).follow(FollowSymlinks::No).nonblock(true);
        let mut file = regular(folder.open_with(name, &options)?)?;
        let mut last = [b'\n'];
        if file.metadata()?.len() == 0 {
            Sharing::of(&folder.dir_metadata()?).apply_to_file(&file);
        } else {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        let line_end = if last == *b"\n" { "" } else { "\n" };
        // One write, so that two who do this at once leave two whole lines.
        file.write_all(format!("{line_end}{line}\n").as_bytes())
    }
}

fn regular(file: cap_std::fs::File) -> io::Result<File> {
    let file = file.into_std();
    check_regular(&file.metadata()?)?;
    Ok(file)
}
