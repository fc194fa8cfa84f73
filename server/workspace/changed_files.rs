//! Which files of a worktree were changed since a time, found by what the file system says alone: of what git tracks each
//! file is looked at, and what it doesn't track is looked for where a folder was changed.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::SystemTime;

use deconflict_platform::{Glance, GlancedFolder, threads};

use super::git::path_from;
use super::{Ignored, Repository, TrackedFile};

/// No more files that git doesn't track are found at once.
const MOST_NEW: usize = 1000;

/// So many files are looked at by one thread at a time. Fewer are not worth a thread.
const SHARE: usize = 1000;

/// A file that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// Where it is or was.
    pub path: PathBuf,
    /// True if nothing is there any more.
    pub is_deleted: bool,
    /// True if it may be run and might not when git looked, or the reverse.
    pub is_other_mode: bool,
}

/// The files in a worktree that were changed since a time and that git does not ignore. A tracked file that is as git
/// last saw it is left out, unless something was staged since then too. New files are not found in folders in which git
/// tracks nothing and that are older than that.
pub fn changed_since(repository: &Repository, ignored: &Ignored, since: SystemTime) -> io::Result<Vec<ChangedFile>> {
    find(repository, ignored, since, is_staged_since(repository, since))
}

/// The same of these files, and of what is in these folders, given by their paths.
pub fn changed_among(
    repository: &Repository,
    ignored: &Ignored,
    since: SystemTime,
    places: &[PathBuf],
) -> io::Result<Vec<ChangedFile>> {
    find_among(repository, ignored, since, is_staged_since(repository, since), places)
}

/// What a sparse checkout has taken out of the worktree since a time, of these files and of what is in these folders.
pub fn left_out_since(
    repository: &Repository,
    since: SystemTime,
    places: impl FnOnce() -> Vec<PathBuf>,
) -> io::Result<Vec<PathBuf>> {
    if !is_staged_since(repository, since) {
        return Ok(Vec::new());
    }
    let root = repository.root();
    let names = places().iter().filter_map(|place| name_of(root, place)).collect();
    let left_out = repository.tracked_files_at(&names)?.into_iter().filter(|file| file.is_left_out);
    let paths = left_out.map(|file| root.join(path_from(&file.path)));
    Ok(paths.filter(|path| Glance::at(path).is_err() && is_gone_since(path, since)).collect())
}

fn is_staged_since(repository: &Repository, since: SystemTime) -> bool {
    let index = repository.git_directory().join("index");
    fs::metadata(index).is_ok_and(|found| Glance::of(&found).is_since(since))
}

/// The files in a worktree that are not as git last saw them, whenever that came, and those that it doesn't track.
pub fn differing(repository: &Repository, ignored: &Ignored) -> io::Result<Vec<ChangedFile>> {
    find(repository, ignored, SystemTime::UNIX_EPOCH, false)
}

/// What git's index names the contents of some files that are as git last saw them, by their paths from the root. By this a
/// file is known as unchanged of which git keeps other bytes than stand in the worktree, without running its filters.
pub fn seen_contents(repository: &Repository, paths: &[&str]) -> io::Result<HashMap<String, String>> {
    let seen = seen_among(repository, &paths.iter().map(|path| path.as_bytes()).collect())?.into_iter();
    Ok(seen.filter_map(|(path, content)| Some((String::from_utf8(path).ok()?, content))).collect())
}

/// The same of files given by their paths.
pub fn seen_contents_at(repository: &Repository, paths: &[&Path]) -> io::Result<HashMap<PathBuf, String>> {
    let names: Vec<Vec<u8>> = paths.iter().filter_map(|path| name_of(repository.root(), path)).collect();
    let seen = seen_among(repository, &names.iter().map(Vec::as_slice).collect())?.into_iter();
    Ok(seen.map(|(path, content)| (repository.root().join(path_from(&path)), content)).collect())
}

fn seen_among(repository: &Repository, wanted: &HashSet<&[u8]>) -> io::Result<Vec<(Vec<u8>, String)>> {
    let index = fs::metadata(repository.git_directory().join("index")).and_then(|found| found.modified());
    let Ok(index) = index else { return Ok(Vec::new()) };
    let mut seen = Vec::new();
    for (file, content) in repository.indexed_contents(wanted)? {
        let found = Glance::at(&repository.root().join(path_from(&file.path)));
        // What was written after git looked may look the same to it, so what is as new as the index is not known.
        let is_seen = |found: &Glance| is_as_git_saw(&file, found) && !found.is_since(index);
        if found.is_ok_and(|found| is_seen(&found)) {
            seen.push((file.path.into_vec(), content));
        }
    }
    Ok(seen)
}

/// The same of these files, and of what is in these folders, given by their paths.
pub fn differing_at(repository: &Repository, ignored: &Ignored, places: &[PathBuf]) -> io::Result<Vec<ChangedFile>> {
    find_among(repository, ignored, SystemTime::UNIX_EPOCH, false, places)
}

fn find_among(
    repository: &Repository,
    ignored: &Ignored,
    since: SystemTime,
    is_staged: bool,
    places: &[PathBuf],
) -> io::Result<Vec<ChangedFile>> {
    let root = repository.root();
    let names: HashSet<Vec<u8>> = places.iter().filter_map(|place| name_of(root, place)).collect();
    let tracked = repository.tracked_files_at(&names)?;
    let mut search = Search { repository, ignored, since, tracked: &tracked, found: Vec::new() };
    let mut changed: Vec<ChangedFile> = Vec::new();
    for place in places {
        let Some(name) = name_of(root, place) else { continue };
        let begin = tracked.partition_point(|file| file.path[..] < name[..]);
        let is_in = |file: &&TrackedFile| {
            file.path.strip_prefix(&name[..]).is_some_and(|rest| rest.is_empty() || name.is_empty() || rest[0] == b'/')
        };
        // What is spelled between them begins with the same letters.
        let among = tracked[begin..].iter().take_while(|file| file.path.starts_with(&name)).filter(is_in);
        let among: Vec<TrackedFile> = among.cloned().collect();
        let mut glances = Glances::new(root, since);
        changed.extend(among.iter().filter_map(|file| changed_file(&mut glances, file, since, is_staged)));
        match fs::symlink_metadata(place) {
            Ok(found) if found.is_dir() => {
                let mut folders: HashSet<PathBuf> =
                    folders_of(&among).into_iter().map(|folder| root.join(path_from(folder))).collect();
                folders.retain(|folder| folder.starts_with(place));
                folders.insert(place.clone());
                for folder in &folders {
                    search.folder(folder);
                }
            }
            Ok(found) => search.file(place.clone(), &found),
            Err(_) => {}
        }
    }
    changed.append(&mut search.found);
    changed.sort_by(|one, other| one.path.cmp(&other.path));
    changed.dedup();
    Ok(changed)
}

fn find(
    repository: &Repository,
    ignored: &Ignored,
    since: SystemTime,
    is_staged: bool,
) -> io::Result<Vec<ChangedFile>> {
    let root = repository.root();
    let threads = threads();
    let (sender, receiver) = mpsc::channel::<Vec<TrackedFile>>();
    let shares = Mutex::new(receiver);
    let look = || {
        let mut looked_at = Vec::new();
        loop {
            // Whoever waits for the next share keeps it from nobody who could have one.
            let share = shares.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(files) = share else { return looked_at };
            let mut glances = Glances::new(root, since);
            let changed = files.iter().filter_map(|file| changed_file(&mut glances, file, since, is_staged)).collect();
            looked_at.push(Share { changed, folders: glances.folders, files });
        }
    };
    let mut done: Vec<Share> = thread::scope(|scope| {
        let mut others = Vec::new();
        let mut count = 0;
        let read = repository.tracked_files_by(SHARE, |files| {
            // The last one stays with this thread, which has read all then.
            if count > 0 && others.len() + 1 < threads {
                others.push(scope.spawn(look));
            }
            count += 1;
            // There is a receiver until all is over.
            let _ = sender.send(files);
        });
        drop(sender);
        let mut done = look();
        done.extend(others.into_iter().filter_map(|other| other.join().ok()).flatten());
        read.map(|()| done)
    })?;
    done.sort_by(|one, other| one.begin().cmp(other.begin()));
    let (mut tracked, mut changed, mut known) = (Vec::new(), Vec::new(), HashMap::new());
    for mut share in done {
        tracked.append(&mut share.files);
        changed.append(&mut share.changed);
        known.extend(share.folders);
    }
    let mut search = Search { repository, ignored, since, tracked: &tracked, found: Vec::new() };
    for folder in folders_of(&tracked) {
        // Of those that only have folders in them nobody has come by.
        if known.get(folder).copied().unwrap_or(true) {
            search.folder(&root.join(path_from(folder)));
        }
    }
    changed.append(&mut search.found);
    Ok(changed)
}

/// Some of the tracked files that follow one another, and what was found of them.
struct Share {
    files: Vec<TrackedFile>,
    changed: Vec<ChangedFile>,
    /// The folders that they are in, and whether these were changed.
    folders: HashMap<Vec<u8>, bool>,
}

impl Share {
    fn begin(&self) -> &[u8] {
        self.files.first().map_or(&[], |file| &file.path)
    }
}

/// What became of a tracked file since then, if something did.
fn changed_file(glances: &mut Glances, file: &TrackedFile, since: SystemTime, is_staged: bool) -> Option<ChangedFile> {
    if !file.is_looked_at {
        return None;
    }
    let path = |root: &Path| root.join(path_from(&file.path));
    let is_other_mode = |found: &Glance| file.executable.is_some_and(|executable| executable != found.is_executable);
    let (is_deleted, is_other_mode) = match glances.at(&file.path) {
        Ok(found) if !found.is_since(since) || found.is_folder => return None,
        Ok(found) if is_as_git_saw(file, &found) && !is_staged && !is_other_mode(&found) => return None,
        Ok(found) => (false, is_other_mode(&found)),
        Err(error) if is_absence(&error) && is_gone_since(&path(glances.root), since) => (true, false),
        Err(_) => return None,
    };
    Some(ChangedFile { path: path(glances.root), is_deleted, is_other_mode })
}

/// Looks at files in the order of their paths, so that those of one folder follow one another.
struct Glances<'a> {
    root: &'a Path,
    since: SystemTime,
    folder: Vec<u8>,
    opened: Option<GlancedFolder>,
    /// The folders that it has come by, and whether these were changed since then.
    folders: HashMap<Vec<u8>, bool>,
}

impl<'a> Glances<'a> {
    fn new(root: &'a Path, since: SystemTime) -> Self {
        Self { root, since, folder: Vec::new(), opened: None, folders: HashMap::new() }
    }

    fn at(&mut self, path: &[u8]) -> io::Result<Glance> {
        let (folder, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(end) => (&path[..end], &path[end + 1..]),
            None => (&b""[..], path),
        };
        let opened = match self.opened.take().filter(|_| self.folder == folder) {
            Some(opened) => opened,
            None => self.open(folder)?,
        };
        self.opened.insert(opened).glance(path_from(name))
    }

    fn open(&mut self, folder: &[u8]) -> io::Result<GlancedFolder> {
        let opened = GlancedFolder::open(&self.root.join(path_from(folder)))?;
        folder.clone_into(&mut self.folder);
        let is_changed = opened.itself().is_ok_and(|found| found.is_since(self.since));
        self.folders.insert(folder.to_owned(), is_changed);
        Ok(opened)
    }
}

/// The folders that tracked files are in, with those above them, each once. The files are in the order of their paths, so
/// those of one folder follow one another.
pub(super) fn folders_of(tracked: &[TrackedFile]) -> Vec<&[u8]> {
    let mut folders = vec![&b""[..]];
    let mut before: &[u8] = b"";
    for file in tracked {
        let path = &file.path[..];
        let common = path.iter().zip(before).take_while(|(one, other)| one == other).count();
        let slashes = path.iter().enumerate().skip(common).filter(|(_, byte)| **byte == b'/');
        folders.extend(slashes.map(|(slash, _)| &path[..slash]));
        before = path;
    }
    folders
}

/// Looks for files that git does not track.
struct Search<'a> {
    repository: &'a Repository,
    ignored: &'a Ignored,
    since: SystemTime,
    tracked: &'a [TrackedFile],
    found: Vec<ChangedFile>,
}

impl Search<'_> {
    /// Looks into a folder if something was added there.
    fn folder(&mut self, folder: &Path) {
        let is_changed = Glance::at(folder).is_ok_and(|found| found.is_folder && found.is_since(self.since));
        let entries = if is_changed { fs::read_dir(folder).ok() } else { None };
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            if self.found.len() >= MOST_NEW || entry.file_name().eq_ignore_ascii_case(".git") {
                continue;
            }
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                // Folders of tracked files have their own turn; another repository is none of this one's.
                if !self.is_tracked(&path, true)
                    && !path.join(".git").exists()
                    && !self.ignored.is_ignored_directory(&path)
                {
                    self.folder(&path);
                }
            } else {
                self.file(path, &found);
            }
        }
    }

    /// Looks at what is no folder.
    fn file(&mut self, path: PathBuf, found: &Metadata) {
        if Glance::of(found).is_since(self.since)
            && !self.is_tracked(&path, false)
            && (found.is_file() || found.is_symlink())
            && !self.ignored.is_ignored(&path)
        {
            self.found.push(ChangedFile { path, is_deleted: false, is_other_mode: false });
        }
    }

    fn is_tracked(&self, path: &Path, is_folder: bool) -> bool {
        let Some(mut name) = name_of(self.repository.root(), path) else { return false };
        if is_folder {
            name.push(b'/');
        }
        let position = self.tracked.partition_point(|file| file.path[..] < name[..]);
        self.tracked
            .get(position)
            .is_some_and(|file| file.path[..] == name[..] || (is_folder && file.path.starts_with(&name)))
    }
}

/// A path as git spells it; `None` if it is not in the worktree.
fn name_of(root: &Path, path: &Path) -> Option<Vec<u8>> {
    let relative = path.strip_prefix(root).ok()?;
    let mut name = relative.as_os_str().as_encoded_bytes().to_owned();
    if cfg!(windows) {
        name.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    }
    Some(name)
}

/// True if git, when it looked last, saw a file of this length that was written at this time.
fn is_as_git_saw(file: &TrackedFile, found: &Glance) -> bool {
    let (seconds, nanoseconds) = file.modified;
    let lower_half = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default();
    lower_half(found.length) == file.length
        && u64::try_from(found.modified.0).is_ok_and(|modified| lower_half(modified) == seconds)
        && (nanoseconds == 0 || nanoseconds == found.modified.1)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// True if the nearest folder that is left was changed since then.
fn is_gone_since(path: &Path, since: SystemTime) -> bool {
    let left = path.ancestors().skip(1).find_map(|folder| Glance::at(folder).ok());
    left.is_some_and(|found| found.is_since(since))
}
