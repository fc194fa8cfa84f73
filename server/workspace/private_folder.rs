//! Files that one user keeps about a clone, where neither git nor another user meets them: in `deconflict/{user id}/`
//! below git's common directory, which all worktrees share and no clean-up of git's reaches; without git in the user's
//! state folder. Nothing in it is trusted: no link is followed, and only regular files of a bounded size are read.

mod locked_file;

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use cap_fs_ext::{DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, Metadata, OpenOptions};
use deconflict_platform::Sharing;
use deconflict_platform::faults::{self, DiskChange};
use deconflict_platform::{open_folder_below, owned_by_user, user_id};
use deconflict_protocol::text::hex;
use sha2::{Digest, Sha256};

use super::Repository;
pub use locked_file::{Lock, LockedFile};

/// What this program's folders are called.
const OURS: &str = "deconflict";

/// Which of a folder's components says what it is for.
const PURPOSE: usize = 2;

/// One folder of such files. It need not exist before something is written.
#[derive(Debug, Clone)]
pub struct PrivateFolder {
    /// What is there already, and belongs to git or to the user.
    base: PathBuf,
    /// The folders below it.
    components: Vec<String>,
    /// True where users share the base, and with it the first component.
    is_shared: bool,
    opened: Opened,
}

/// Something in such a folder.
#[derive(Debug, Clone)]
pub struct FolderEntry {
    /// What it is called.
    pub name: String,
    /// False for a folder, a link or anything else.
    pub is_file: bool,
    /// How long it is, in bytes.
    pub length: u64,
    /// When it was written last.
    pub written: SystemTime,
}

/// The folder as it was opened last: what is done in it follows one another within moments.
#[derive(Debug, Clone, Default)]
struct Opened(Arc<Mutex<Option<OpenedAt>>>);

type OpenedAt = (Arc<Dir>, Instant);

/// After this it is opened anew, since it may be elsewhere by then.
const OPENED: Duration = Duration::from_millis(500);

impl PrivateFolder {
    /// The folder of one purpose for a coordination directory. `None` without git and without a state folder.
    pub fn of(directory: &Path, purpose: &str, state_folder: Option<&Path>) -> Option<Self> {
        let parent = directory.parent()?;
        let repository = Repository::containing(parent).ok()?;
        let base = repository.as_ref().and_then(|repository| Some(repository.own_common_directory()?.to_owned()));
        let is_shared = base.is_some();
        let base = base.or_else(|| state_folder.map(Path::to_owned))?;
        // A clone that is moved keeps its files, so a path inside of it counts from its root.
        let relative = repository.as_ref().and_then(|repository| directory.strip_prefix(repository.main_root()).ok());
        let digest = Sha256::digest(relative.unwrap_or(directory).as_os_str().as_encoded_bytes());
        let name = hex(&digest[..8]);
        let components = vec![OURS.to_owned(), user_id(), purpose.to_owned(), name];
        Some(Self { base, components, is_shared, opened: Opened::default() })
    }

    /// The folder of what is known of the other clones of the repository's team. `None` where git's directory is not its own.
    pub fn of_team(repository: &Repository) -> Option<Self> {
        let components = vec![OURS.to_owned(), user_id(), "team".to_owned()];
        let base = repository.own_common_directory()?.to_owned();
        Some(Self { base, components, is_shared: true, opened: Opened::default() })
    }

    /// Reads a file; `None` if there is none, or something that is not to be read.
    pub fn read(&self, name: &str, longest: u64) -> io::Result<Option<Vec<u8>>> {
        self.opened(name)?.map_or(Ok(None), |file| read_whole(&file, longest))
    }

    /// True if something has that name in it.
    pub fn contains(&self, name: &str) -> bool {
        self.open().is_ok_and(|folder| folder.is_some_and(|folder| folder.symlink_metadata(name).is_ok()))
    }

    /// Reads at most so many bytes at the end of a file, and says where they begin; `None` as for [`Self::read`].
    pub fn read_end(&self, name: &str, longest: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
        let Some(file) = self.opened(name)? else { return Ok(None) };
        // Where locks keep out readers too.
        #[cfg(windows)]
        let _ = file.lock_shared();
        read_end(&file, longest).map(Some)
    }

    /// Writes a file as a whole. One of that name and length is only touched: names say what is in files.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let folder = self.make()?;
        if folder.symlink_metadata(name).is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64) {
            let (file, _) = open_file(&folder, name, OpenOptions::new().read(true))?;
            let touch = || file.set_modified(SystemTime::now());
            // Files of one's own can be touched; where not, they are as old as they look.
            let _ = faults::change(|| DiskChange::Attributes(self.path().join(name)), touch);
            return Ok(());
        }
        self.write_anew(&folder, name, bytes)
    }

    /// Writes into a file from its beginning, so that its disk need not be waited for as for a new one. Whoever reads it
    /// meanwhile, or after a crash, may find something of both contents.
    pub fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = || self.path().join(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        let folder = self.make()?;
        let (file, _) = faults::change(|| DiskChange::Create(path()), || open_file(&folder, name, &mut options))?;
        faults::write(&file, path, || 0, bytes)?;
        file.set_len(bytes.len() as u64)
    }

    /// Gives a file its whole content at once.
    fn write_anew(&self, folder: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let (unfinished, (file, _)) = loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let unfinished = format!(".{name}.{}-{number}.new", std::process::id());
            let path = || DiskChange::Create(self.path().join(&unfinished));
            let open = || open_file(folder, &unfinished, OpenOptions::new().write(true).create_new(true));
            match faults::change(path, open) {
                // One that died had the same number, or lives in a container.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => break (unfinished.clone(), opened?),
            }
        };
        let path = self.path();
        let rename = || folder.rename(&unfinished, folder, name);
        let done = faults::write(&file, || path.join(&unfinished), || 0, bytes)
            .and_then(|()| faults::change(|| DiskChange::Rename(path.join(&unfinished), path.join(name)), rename));
        if done.is_err() {
            let _ = folder.remove_file(&unfinished);
        }
        done
    }

    fn elsewhere(&self) -> Self {
        Self { opened: Opened::default(), ..self.clone() }
    }

    /// The folder of that name in it.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        let mut below = self.elsewhere();
        below.components.push(name.to_owned());
        below
    }

    /// The folder of another purpose, for the same coordination directory.
    #[must_use]
    pub fn beside(&self, purpose: &str) -> Self {
        let mut beside = self.elsewhere();
        if let Some(own) = beside.components.get_mut(PURPOSE) {
            purpose.clone_into(own);
        }
        beside
    }

    /// The folder of one worktree in it. A worktree may be called as it likes.
    #[must_use]
    pub fn of_worktree(&self, repository: &Repository) -> Self {
        let worktree = repository.worktree().unwrap_or_default();
        self.below(&hex(&Sha256::digest(worktree)[..8]))
    }

    /// Makes it, if it is missing.
    pub fn ensure(&self) -> io::Result<()> {
        self.make().map(drop)
    }

    /// What is in it. Empty where it is missing.
    pub fn entries(&self) -> io::Result<Vec<FolderEntry>> {
        let Some(folder) = self.open()? else { return Ok(Vec::new()) };
        let entries = folder.entries()?.filter_map(Result::ok).filter_map(|entry| {
            let found = entry.metadata().ok()?;
            Some(FolderEntry {
                name: entry.file_name().into_string().ok()?,
                is_file: found.is_file(),
                length: found.len(),
                written: found.modified().map_or(SystemTime::UNIX_EPOCH, cap_std::time::SystemTime::into_std),
            })
        });
        Ok(entries.collect())
    }

    /// Removes a file, if there is one.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let Some(folder) = self.open()? else { return Ok(()) };
        let remove = || folder.remove_file(name);
        match faults::change(|| DiskChange::Remove(self.path().join(name)), remove) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The files that were last written before a time.
    pub fn older_than(&self, limit: SystemTime) -> io::Result<Vec<String>> {
        let old = self.entries()?.into_iter().filter(|entry| entry.written < limit);
        Ok(old.map(|entry| entry.name).collect())
    }

    /// Where it is, for messages.
    pub fn path(&self) -> PathBuf {
        self.components.iter().fold(self.base.clone(), |path, component| path.join(component))
    }

    fn opened(&self, name: &str) -> io::Result<Option<std::fs::File>> {
        let Some(folder) = self.open()? else { return Ok(None) };
        match open_file(&folder, name, OpenOptions::new().read(true)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => Ok(None),
            opened => opened.map(|(file, _)| Some(file)),
        }
    }

    /// Opens it, unless it was opened just now and is still there; `None` if it is not there, or what is there is not this
    /// user's own.
    fn open(&self) -> io::Result<Option<Arc<Dir>>> {
        if let Some(folder) = self.opened.get() {
            return Ok(Some(folder));
        }
        let folder = self.open_anew()?.map(Arc::new);
        if let Some(folder) = &folder {
            self.opened.set(folder);
        }
        Ok(folder)
    }

    fn open_anew(&self) -> io::Result<Option<Dir>> {
        let below: PathBuf = self.components.iter().collect();
        let at_once = open_folder_below(&self.base, &below);
        let found = match at_once {
            Ok(folder) => return Ok(owned_by_user(&folder.metadata()?).then(|| Dir::from_std_file(folder))),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                Dir::open_ambient_dir(&self.base, ambient_authority()).and_then(|base| {
                    self.components.iter().try_fold(base, |above, component| above.open_dir_nofollow(component))
                })
            }
            Err(error) => Err(error),
        };
        match found {
            Ok(folder) => Ok(is_own(&folder)?.then_some(folder)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens it, made where it is missing.
    fn make(&self) -> io::Result<Arc<Dir>> {
        let Some((component, above)) = self.components.split_last() else {
            if !self.is_shared {
                std::fs::create_dir_all(&self.base)?;
            }
            return Dir::open_ambient_dir(&self.base, ambient_authority()).map(Arc::new);
        };
        if let Some(folder) = self.open()? {
            return Ok(folder);
        }
        let is_for_all = above.is_empty() && self.is_shared;
        let above = Self { components: above.to_vec(), ..self.elsewhere() }.make()?;
        let made = faults::change(
            || DiskChange::MakeFolder(self.path()),
            || above.create_dir_with(component, &builder(is_for_all)),
        );
        let folder = match &made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(io::Error::new(error.kind(), error.to_string()));
            }
            _ => above.open_dir_nofollow(component)?,
        };
        if is_for_all && made.is_ok() {
            Sharing::of(&above.dir_metadata()?).apply_to_folder(&folder.open(".")?.into_std());
        } else if !is_for_all && !is_own(&folder)? {
            let problem = format!("{} belongs to another user", self.path().display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
        let folder = Arc::new(folder);
        self.opened.set(&folder);
        Ok(folder)
    }
}

impl Opened {
    fn get(&self) -> Option<Arc<Dir>> {
        let mut known = self.0.lock().ok()?;
        let (folder, at) = known.as_ref()?;
        if at.elapsed() < OPENED && is_linked(folder) {
            return Some(Arc::clone(folder));
        }
        *known = None;
        None
    }

    fn set(&self, folder: &Arc<Dir>) {
        // Elsewhere an open folder cannot be removed.
        if cfg!(unix)
            && let Ok(mut known) = self.0.lock()
        {
            *known = Some((Arc::clone(folder), Instant::now()));
        }
    }
}

/// False for a folder that was removed.
fn is_linked(folder: &Dir) -> bool {
    folder.dir_metadata().is_ok_and(|found| found.nlink() > 0)
}

/// How a folder is made: for this user alone, unless it is for all.
#[cfg(unix)]
fn builder(is_for_all: bool) -> DirBuilder {
    use cap_std::fs::DirBuilderExt;
    let mut builder = DirBuilder::new();
    if !is_for_all {
        builder.mode(0o700);
    }
    builder
}

#[cfg(not(unix))]
fn builder(_is_for_all: bool) -> DirBuilder {
    DirBuilder::new()
}

fn is_own(folder: &Dir) -> io::Result<bool> {
    let file = folder.try_clone()?.into_std_file();
    Ok(owned_by_user(&file.metadata()?))
}

/// Opens a regular file, and says what it is. Anything else is invalid input, and opening it waits for nobody.
fn open_file(folder: &Dir, name: &str, options: &mut OpenOptions) -> io::Result<(std::fs::File, Metadata)> {
    let not_regular = || io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is not a regular file"));
    let opened = folder.open_with(name, options.follow(FollowSymlinks::No).nonblock(true));
    match opened {
        Ok(file) => {
            let found = file.metadata()?;
            if found.is_file() { Ok((file.into_std(), found)) } else { Err(not_regular()) }
        }
        Err(_) if folder.symlink_metadata(name).is_ok_and(|found| !found.is_file()) => Err(not_regular()),
        Err(error) => Err(error),
    }
}

fn read_whole(file: &std::fs::File, longest: u64) -> io::Result<Option<Vec<u8>>> {
    let length = file.metadata()?.len();
    if length > longest { Ok(None) } else { read_from(file, 0, length).map(Some) }
}

fn read_end(file: &std::fs::File, longest: u64) -> io::Result<(u64, Vec<u8>)> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(longest);
    Ok((start, read_from(file, start, length - start)?))
}

/// So many bytes from there on, as far as they are there.
fn read_from(mut file: &std::fs::File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.seek(SeekFrom::Start(start))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
