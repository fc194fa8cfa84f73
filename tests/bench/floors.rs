//! The least that each thing can cost: the same work with nothing but the operating system.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// As large as a claim's record.
const RECORD: [u8; 480] = [b'x'; 480];

/// Take the lock, do something, free the lock.
fn locked(directory: &Path, work: impl FnOnce()) {
    let lock = File::options().create(true).truncate(false).write(true).open(directory.join(".bare-lock")).unwrap();
    lock.lock().unwrap();
    work();
    lock.unlock().unwrap();
}

fn name_of(round: usize) -> String {
    format!("bare-{round}.claim")
}

/// A claim: take a lock, write a file, give it its name, free the lock.
pub(crate) fn claim(directory: &Path, round: usize) {
    let claims = directory.join("claims");
    locked(directory, || {
        let unfinished = write_unfinished(&claims);
        fs::hard_link(&unfinished, claims.join(name_of(round))).unwrap();
        fs::remove_file(&unfinished).unwrap();
    });
}

/// A refusal: take a lock, read the file that is in the way, free the lock.
pub(crate) fn refusal(directory: &Path, round: usize) {
    locked(directory, || drop(fs::read(directory.join("claims").join(name_of(round))).unwrap()));
}

/// A renewal: take a lock, read the file, put another one in its place, free the lock.
pub(crate) fn renewal(directory: &Path, round: usize) {
    let claims = directory.join("claims");
    locked(directory, || {
        let name = claims.join(name_of(round));
        fs::read(&name).unwrap();
        fs::rename(write_unfinished(&claims), name).unwrap();
    });
}

/// A release: take a lock, read the file, remove it, free the lock.
pub(crate) fn release(directory: &Path, round: usize) {
    locked(directory, || {
        let name = directory.join("claims").join(name_of(round));
        fs::read(&name).unwrap();
        fs::remove_file(name).unwrap();
    });
}

fn write_unfinished(claims: &Path) -> std::path::PathBuf {
    let unfinished = claims.join(".bare");
    let mut file = File::create_new(&unfinished).unwrap();
    file.write_all(&RECORD).unwrap();
    unfinished
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

    /// Makes a bare claim for each byte that it reads.
    pub(crate) fn claimer(directory: &Path) -> Self {
        Self::start("claimer", directory)
    }

    /// Writes a byte for each name that appears in the directory's claims.
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

    let watch = inotify::init(CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, directory.join("claims"), WatchFlags::CREATE).unwrap();
    say();
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    while let Ok(event) = events.next() {
        if event.file_name().is_some_and(|name| !name.to_bytes().starts_with(b".")) {
            say();
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn listen(_: &Path) {
    panic!("the floor of propagation is measured on Linux only");
}
