//! Which team's registry a user named for a clone: `deconflict/teams.toml` among their own settings, never in a workspace.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use deconflict_platform::{Links, configuration_directory, read_regular};
use toml::{Table, Value};

use super::Repository;

/// No longer file is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What a user says of the team of one clone, with all its worktrees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamSettings {
    /// Where its etcd is.
    pub address: String,
    /// Whose keys are meant, where that is not the commit with which the history began.
    pub repository: Option<String>,
    /// As whom it is asked.
    pub user: Option<String>,
    /// Where the password stands.
    pub password_file: Option<PathBuf>,
    /// Who vouches for its certificate.
    pub ca: Option<PathBuf>,
    /// The certificate that it is shown.
    pub cert: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
}

impl TeamSettings {
    /// The file. It need not exist.
    pub fn path() -> Option<PathBuf> {
        Some(configuration_directory()?.join("deconflict").join("teams.toml"))
    }

    /// What is said of this clone; `None` where nothing is.
    pub fn read(repository: &Repository) -> io::Result<Option<Self>> {
        let Some(path) = Self::path() else { return Ok(None) };
        Ok(read_all(&path)?.get(&clone_of(repository)).and_then(Value::as_table).and_then(Self::of))
    }

    /// Says it, in place of what was said before.
    pub fn write(&self, repository: &Repository) -> io::Result<()> {
        change(|all| drop(all.insert(clone_of(repository), Value::Table(self.table()))))
    }

    /// Says nothing of this clone any more. Returns false if nothing was said.
    pub fn remove(repository: &Repository) -> io::Result<bool> {
        if Self::read(repository)?.is_none() {
            return Ok(false);
        }
        change(|all| drop(all.remove(&clone_of(repository)))).map(|()| true)
    }

    fn of(table: &Table) -> Option<Self> {
        let text = |name: &str| table.get(name).and_then(Value::as_str).map(str::to_owned);
        let path = |name: &str| text(name).map(PathBuf::from);
        Some(Self {
            address: text("address")?,
            repository: text("repository"),
            user: text("user"),
            password_file: path("password-file"),
            ca: path("ca"),
            cert: path("cert"),
            key: path("key"),
        })
    }

    fn table(&self) -> Table {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let said = [
            ("address", Some(self.address.clone())),
            ("repository", self.repository.clone()),
            ("user", self.user.clone()),
            ("password-file", path(&self.password_file)),
            ("ca", path(&self.ca)),
            ("cert", path(&self.cert)),
            ("key", path(&self.key)),
        ];
        said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?)))).collect()
    }
}

/// By what a clone is known in the file: where git keeps what all its worktrees share.
fn clone_of(repository: &Repository) -> String {
    repository.common_directory().display().to_string()
}

fn read_all(path: &Path) -> io::Result<Table> {
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
    match read_regular(path, Links::Followed, LARGEST) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
            text.parse().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Table::new()),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn change(change: impl FnOnce(&mut Table)) -> io::Result<()> {
    let Some(path) = TeamSettings::path() else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "you have no home directory, where settings are kept"));
    };
    let mut all = read_all(&path)?;
    change(&mut all);
    let folder = path.parent().unwrap_or(&path);
    fs::create_dir_all(folder)?;
    // Whoever reads it meanwhile finds all of the one or all of the other; nobody else reads it.
    let mut unfinished = tempfile::NamedTempFile::new_in(folder)?;
    unfinished.write_all(all.to_string().as_bytes())?;
    unfinished.persist(&path).map(drop).map_err(|error| error.error)
}
