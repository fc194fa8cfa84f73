//! Which tracked coordination directories this user has joined, remembered outside of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use deconflict_platform::{canonical, state_directory};
use deconflict_protocol::text::hex;

/// What one user has adopted: a folder with one small file for each directory.
#[derive(Debug, Clone)]
pub struct Adoptions {
    folder: Option<PathBuf>,
}

impl Adoptions {
    /// Those of the user who runs this process.
    pub fn of_this_user() -> Self {
        Self { folder: state_directory().map(|state| state.join("deconflict").join("adopted")) }
    }

    /// Those remembered in this folder, which need not exist yet.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    /// True if the directory was adopted.
    pub fn contains(&self, directory: &Path) -> bool {
        self.reminder(directory).is_ok_and(|reminder| reminder.is_file())
    }

    /// Remembers that the directory was adopted.
    pub fn add(&self, directory: &Path) -> io::Result<()> {
        let reminder = self.reminder(directory)?;
        if let Some(folder) = reminder.parent() {
            fs::create_dir_all(folder)?;
        }
        // The path inside is for people who wonder what the file is.
        fs::write(reminder, format!("{}\n", directory.display()))
    }

    fn reminder(&self, directory: &Path) -> io::Result<PathBuf> {
        let folder = self.folder.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let directory = canonical(directory)?;
        let digest = Sha256::digest(directory.as_os_str().as_encoded_bytes());
        let name = hex(&digest[..16]);
        Ok(folder.join(name))
    }
}
