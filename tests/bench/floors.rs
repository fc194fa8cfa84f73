//! The least that each thing can cost: the same work with nothing but the operating system. It opens and locks as
//! carefully as the program does (no link is followed, and a lock file that was replaced is noticed), for less would be
//! other work; what it reads it does not understand, and nobody is asked whether the holder lives.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, linkat, open, openat, renameat, statat,
    unlinkat,
};

/// The name of a file that is not finished.
const UNFINISHED: &str = ".bare";

/// The name of the file that is edited.
const EDITED: &str = "edited";

/// As large as a claim's record.
const RECORD: [u8; 480] = [b'x'; 480];

/// Open the directory, take the lock, see that its file is still the one at the path, do something, free the lock.
fn locked(directory: &Path, work: impl FnOnce(&OwnedFd)) {
    let root = open(directory, OFlags::DIRECTORY, Mode::empty()).unwrap();
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
    let lock = openat(&root, ".bare-lock", flags, Mode::RUSR | Mode::WUSR).unwrap();
    let opened = fstat(&lock).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    assert_eq!(statat(&root, ".bare-lock", AtFlags::SYMLINK_NOFOLLOW).unwrap().st_ino, opened.st_ino);
    let claims = openat(&root, "claims", OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).unwrap();
    work(&claims);
}

/// Read a file, if it is one, and not one that a link leads to.
fn read(claims: &OwnedFd, name: &str) -> Vec<u8> {
    let is_file = |stat: Stat| FileType::from_raw_mode(stat.st_mode).is_file();
    assert!(is_file(statat(claims, name, AtFlags::SYMLINK_NOFOLLOW).unwrap()));
    let file = openat(claims, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK, Mode::empty()).unwrap();
    let opened = fstat(&file).unwrap();
    assert!(is_file(opened));
    let mut bytes = vec![0; usize::try_from(opened.st_size).unwrap()];
    File::from(file).read_exact(&mut bytes).unwrap();
    bytes
}

fn name_of(round: usize) -> String {
    format!("bare-{round}.claim")
}

/// A claim: take a lock, write a file, give it its name, free the lock.
pub(crate) fn claim(directory: &Path, round: usize) {
    locked(directory, |claims| {
        write_unfinished(claims);
        linkat(claims, UNFINISHED, claims, name_of(round), AtFlags::empty()).unwrap();
        unlinkat(claims, UNFINISHED, AtFlags::empty()).unwrap();
    });
}

/// A refusal: take a lock, read the file that is in the way, free the lock.
pub(crate) fn refusal(directory: &Path, round: usize) {
    locked(directory, |claims| drop(read(claims, &name_of(round))));
}

/// A renewal: take a lock, read the file, put another one in its place, free the lock.
pub(crate) fn renewal(directory: &Path, round: usize) {
    locked(directory, |claims| {
        read(claims, &name_of(round));
        write_unfinished(claims);
        renameat(claims, UNFINISHED, claims, name_of(round)).unwrap();
    });
}

/// A release: take a lock, read the file, remove it, free the lock.
pub(crate) fn release(directory: &Path, round: usize) {
    locked(directory, |claims| {
        read(claims, &name_of(round));
        unlinkat(claims, name_of(round), AtFlags::empty()).unwrap();
    });
}

fn write_unfinished(claims: &OwnedFd) {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let file = openat(claims, UNFINISHED, flags, Mode::RUSR | Mode::WUSR).unwrap();
    File::from(file).write_all(&RECORD).unwrap();
}

/// Reading all that is in the directory.
pub(crate) fn read_all(directory: &Path) {
    for folder in ["sessions", "claims"] {
        for entry in fs::read_dir(directory.join(folder)).unwrap() {
            fs::read(entry.unwrap().path()).unwrap();
        }
    }
}

/// A process of this program that does one of the things below and nothing else.
pub(crate) struct Helper {
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Helper {
    fn start(role: &str, directory: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([ROLE, role]).arg(directory).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (input, mut output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        output.read_exact(&mut [0]).unwrap();
        Self { process, input, output }
    }

    /// Makes a bare claim for each byte that it reads, once it has read the file that is edited: without that nobody can
    /// tell an edit from a text that is as it stands on disk.
    pub(crate) fn claimer(directory: &Path) -> Self {
        fs::write(directory.join(EDITED), "one line\n").unwrap();
        Self::start("claimer", directory)
    }

    /// Writes a byte for each file that appears in the directory's claims, once it has read it.
    pub(crate) fn listener(directory: &Path) -> Self {
        Self::start("listener", directory)
    }

    /// Answers with one byte to each chunk that ends in a line end.
    pub(crate) fn echo(directory: &Path) -> Self {
        Self::start("echo", directory)
    }

    /// Tells it to go on.
    pub(crate) fn tell(&mut self) {
        self.send(b"x");
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).unwrap();
    }

    /// Waits until it says something.
    pub(crate) fn wait(&mut self) {
        self.output.read_exact(&mut [0]).unwrap();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The argument that makes this program a helper.
const ROLE: &str = "--floor-helper";

/// Plays a helper's role if that is what this process was started for.
pub(crate) fn play_role() {
    let arguments: Vec<_> = std::env::args_os().collect();
    let [_, flag, role, directory] = arguments.as_slice() else { return };
    if flag != ROLE {
        return;
    }
    let directory = Path::new(directory);
    match role.to_str() {
        Some("claimer") => claim_for_each_byte(directory),
        Some("listener") => listen(directory),
        _ => echo(),
    }
    std::process::exit(0);
}

fn say() {
    std::io::stdout().write_all(b"x").and_then(|()| std::io::stdout().flush()).unwrap();
}

fn claim_for_each_byte(directory: &Path) {
    say();
    let mut input = std::io::stdin().lock();
    let mut round = 0;
    while input.read_exact(&mut [0]).is_ok() {
        fs::read(directory.join(EDITED)).unwrap();
        claim(directory, round);
        round += 1;
    }
}

fn echo() {
    say();
    let mut input = std::io::stdin().lock();
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = input.read(&mut chunk) {
        if chunk[length - 1] == b'\n' {
            say();
        }
    }
}

#[cfg(target_os = "linux")]
fn listen(directory: &Path) {
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

    let claims = open(directory.join("claims"), OFlags::DIRECTORY, Mode::empty()).unwrap();
    let watch = inotify::init(CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, directory.join("claims"), WatchFlags::CREATE).unwrap();
    say();
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    while let Ok(event) = events.next() {
        let name = event.file_name().and_then(|name| name.to_str().ok()).filter(|name| !name.starts_with('.'));
        if let Some(name) = name {
            read(&claims, name);
            say();
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn listen(_: &Path) {
    panic!("the floor of propagation is measured on Linux only");
}
