//! Linux: `/proc`, read directly, because a claim must not cost more than a few system calls.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use nix::sys::signal::SigSet;
use rustix::io::Errno;
use rustix::process::Pid;

use super::{Ancestor, Process, ScopeRelation};

/// The number of the pid namespace that the kernel itself makes, the same on every machine.
const INITIAL_PID_NAMESPACE: &str = "4026531836";

/// The number of the time namespace that the kernel itself makes. In another one `/proc` tells other start times.
const INITIAL_TIME_NAMESPACE: &str = "4026531834";

/// The process that holds a file's lock, by the file's device and number.
pub(super) fn lock_holder(device: u64, inode: u64) -> Option<u32> {
    // 1: FLOCK  ADVISORY  WRITE 4711 08:01:1234567 0 EOF
    let place = format!("{:02x}:{:02x}:{inode}", rustix::fs::major(device), rustix::fs::minor(device));
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1) == Some(&"FLOCK") && fields.get(5) == Some(&place.as_str());
        fields.get(4).filter(|_| is_it)?.parse().ok()
    })
}

pub(super) fn started_of_current_process() -> Option<String> {
    let stat = read_told("/proc/self/stat").ok()?;
    // A `/proc` of another pid namespace shows this process under another number, and other processes under ours.
    let shown_pid: u32 = text(stat.split(|byte| *byte == b' ').next()?)?.parse().ok()?;
    (shown_pid == std::process::id()).then(|| parse_stat(&stat)).flatten().map(|stat| stat.started)
}

/// True for a signal that this process ignores, because whoever started it wants it so.
pub(super) fn is_ignored(signal: i32) -> bool {
    let status = read_told("/proc/self/status").unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| u32::try_from(signal - 1).is_ok_and(|bit| mask.checked_shr(bit).unwrap_or(0) & 1 == 1))
}

pub(super) fn parent_of_current_process() -> Option<u32> {
    proc_is_ours().then(std::os::unix::process::parent_id)
}

pub(super) fn process(pid: u32) -> Option<Process> {
    let stat = if proc_is_ours() { read_told(format!("/proc/{pid}/stat")).ok() } else { None };
    match stat.as_deref().and_then(parse_stat) {
        Some(stat) => (!stat.ended).then_some(Process { pid, started: stat.started }),
        // Mounted with `hidepid`, `/proc` shows nothing of other users' processes; a signal finds them.
        None => exists(pid).then(|| Process { pid, started: String::new() }),
    }
}

/// What can be seen of the process with this number, as of the ones above this one; `None` if there is none.
pub fn look_at(pid: u32) -> Option<Ancestor> {
    let Stat { started, name, parent, .. } = parse_stat(&read_told(format!("/proc/{pid}/stat")).ok()?)?;
    Some(Ancestor { pid, started, name, parent: Some(parent), command: OnceLock::new() })
}

pub(super) fn command(pid: u32) -> Vec<String> {
    let line = read_told(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = line.strip_suffix(b"\0").unwrap_or(&line);
    if line.is_empty() {
        return Vec::new();
    }
    line.split(|byte| *byte == 0).map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

/// The session and the controlling terminal of a process, or `None` if it has no terminal.
///
/// `/proc` tells it rather than `getsid(2)`, whose answer is zero, and no process id, where the leader of the session
/// is outside of this pid namespace.
pub(super) fn terminal_of(pid: u32) -> Option<Terminal> {
    let stat = parse_stat(&read_told(format!("/proc/{pid}/stat")).ok()?)?;
    (stat.terminal.device != 0).then_some(stat.terminal)
}

/// `{machine}/{boot}/{pid namespace}`, and `/{time namespace}` unless that is the kernel's own. An unknown field is
/// empty, which makes the whole equal to nothing.
pub(super) fn pid_scope() -> String {
    let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(line_of);
    let boot = line_of("/proc/sys/kernel/random/boot_id");
    // Copied virtual machines and containers share a machine id; a host name is rarely shared too.
    format!(
        "{}@{}/{}/{}{}",
        machine.unwrap_or_default(),
        super::host_name().replace('/', "_"),
        boot.unwrap_or_default(),
        namespace("pid").unwrap_or_default(),
        own_time_namespace().map(|time| format!("/{time}")).unwrap_or_default()
    )
}

/// The number of a namespace that this process is in.
fn namespace(kind: &str) -> Option<String> {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
    let number = link.to_str()?.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?;
    Some(number.to_owned())
}

/// The time namespace, unless it is the kernel's own or the kernel knows none.
fn own_time_namespace() -> Option<String> {
    namespace("time").filter(|number| number != INITIAL_TIME_NAMESPACE)
}

pub(super) fn relation(own: &str, recorded: &str) -> ScopeRelation {
    let (Some(own), Some(recorded)) = (ScopeToken::parse(own), ScopeToken::parse(recorded)) else {
        return ScopeRelation::Elsewhere;
    };
    // The boot id is random, so one boot is one machine, whatever its host name is changed to.
    let is_this_boot = recorded.boot == own.boot;
    if is_this_boot && (recorded.pid_namespace, recorded.time_namespace) == (own.pid_namespace, own.time_namespace) {
        return ScopeRelation::Same;
    }
    // A container's machine id may come with its image, so another boot proves something only outside of them.
    let outside_containers = [&own, &recorded].iter().all(|scope| scope.pid_namespace == INITIAL_PID_NAMESPACE);
    let machine_is_known = !recorded.machine.starts_with('@');
    if !is_this_boot && recorded.machine == own.machine && machine_is_known && outside_containers {
        return ScopeRelation::OtherBootOfThisMachine;
    }
    ScopeRelation::Elsewhere
}

/// Waits for the end of a process; `None` where the kernel cannot tell it.
pub(super) fn ends_within(pid: u32, limit: Duration) -> Option<bool> {
    use rustix::process::{PidfdFlags, pidfd_open};
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Some(true),
        opened => opened.ok()?,
    };
    is_ready_within(&process, limit).ok()
}

/// Waits for one of these signals, all of which are held back from this process; `None` inside if none comes in this time.
#[allow(clippy::unnecessary_wraps, reason = "other systems cannot do it")]
pub(super) fn next_signal(signals: &SigSet, limit: Duration) -> Option<io::Result<Option<i32>>> {
    use nix::sys::signalfd::{SfdFlags, SignalFd};
    let next = || {
        let signals = SignalFd::with_flags(signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let told = if is_ready_within(&signals, limit)? { signals.read_signal()? } else { None };
        Ok(told.and_then(|told| i32::try_from(told.ssi_signo).ok()))
    };
    Some(next())
}

/// Waits until something can be read; false if it could not in this time, or a signal came.
fn is_ready_within(file: impl AsFd, limit: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let tv_sec = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    let limit = Timespec { tv_sec, tv_nsec: limit.subsec_nanos().into() };
    match poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&limit)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// How long this machine has slept since it was started.
pub fn time_asleep() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let since_start = |clock| {
        let time = clock_gettime(clock);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    since_start(ClockId::Boottime).saturating_sub(since_start(ClockId::Monotonic))
}

/// When this machine was started, if it tells.
pub fn booted_at() -> Option<SystemTime> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let mut seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    if own_time_namespace().is_some() {
        // What is told is shifted by what this namespace was given.
        let offsets = fs::read_to_string("/proc/self/timens_offsets").ok()?;
        let offset = offsets.lines().find_map(|line| line.strip_prefix("boottime")?.split_whitespace().next());
        seconds -= offset?.parse::<f64>().ok()?;
    }
    SystemTime::now().checked_sub(Duration::try_from_secs_f64(seconds).ok()?)
}

/// Whether a process group has a member that has not ended; `None` where nobody tells.
pub(super) fn has_running_member(group: u32) -> Option<bool> {
    if !proc_is_ours() {
        return None;
    }
    let names = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| name.to_str()?.parse::<u32>().ok()).filter(|pid| may_be_in_group(*pid, group));
    let mut stats = pids.filter_map(|pid| parse_stat(&read_told(format!("/proc/{pid}/stat")).ok()?));
    Some(stats.any(|stat| stat.group == group && !stat.ended))
}

/// False for most: asking for a process's group takes a hundredth of the time that reading its line takes.
fn may_be_in_group(pid: u32, group: u32) -> bool {
    use nix::errno::Errno;
    let Ok(pid) = i32::try_from(pid) else { return false };
    match nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid))) {
        Ok(found) => u32::try_from(found.as_raw()) == Ok(group),
        Err(Errno::ESRCH) => false,
        Err(_) => true,
    }
}

/// Where a process was started (`credentials(7)`).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Terminal {
    /// Zero if the leader of the session is outside of this pid namespace.
    session: u32,
    /// The number of the terminal's device; zero if there is none.
    device: i32,
}

/// What one line of `/proc/{pid}/stat` tells.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    ended: bool,
    parent: u32,
    group: u32,
    terminal: Terminal,
    started: String,
}

/// Reads a stat line (`proc_pid_stat(5)`). The program's name is in parentheses and may hold anything, parentheses,
/// spaces and line ends included, so the fields are counted from its last closing one.
fn parse_stat(line: &[u8]) -> Option<Stat> {
    let name_start = line.iter().position(|byte| *byte == b'(')? + 1;
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let name = String::from_utf8_lossy(line.get(name_start..name_end)?).into_owned();
    let mut fields = text(line.get(name_end + 1..)?)?.split_ascii_whitespace();
    // State is field 3, the parent field 4, the process group field 5, the session field 6, its terminal field 7, the start time field 22.
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // Outside of this pid namespace a group has no number here.
    let group = fields.next()?.parse().unwrap_or(0);
    let session = fields.next()?.parse().ok()?;
    let terminal = Terminal { session, device: fields.next()?.parse().ok()? };
    let started = fields.nth(14)?.to_owned();
    Some(Stat { name, ended: matches!(state, "Z" | "X" | "x"), parent, group, terminal, started })
}

fn proc_is_ours() -> bool {
    !super::current_process().started.is_empty()
}

fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(Errno::SRCH))
}

/// Reads what the kernel tells of a process. It gives such a file no length, so that a reader who goes by that asks again
/// and again for a few bytes.
fn read_told(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut told = Vec::with_capacity(2048);
    File::open(path)?.take(u64::MAX).read_to_end(&mut told)?;
    Ok(told)
}

fn line_of(path: impl AsRef<Path>) -> Option<String> {
    let content = fs::read_to_string(path).ok()?;
    let line = content.trim();
    (!line.is_empty() && !line.contains('/')).then(|| line.to_owned())
}

/// A scope taken apart.
struct ScopeToken<'a> {
    machine: &'a str,
    boot: &'a str,
    pid_namespace: &'a str,
    time_namespace: Option<&'a str>,
}

impl<'a> ScopeToken<'a> {
    fn parse(scope: &'a str) -> Option<Self> {
        let mut fields = scope.split('/');
        let (machine, boot, pid_namespace) = (fields.next()?, fields.next()?, fields.next()?);
        let time_namespace = fields.next();
        let is_whole = scope.split('/').all(|field| !field.is_empty()) && fields.next().is_none();
        is_whole.then_some(Self { machine, boot, pid_namespace, time_namespace })
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_does_not_confuse_the_fields() {
        let rest = "S 7 1 5 34816 -1 4194304 103 0 0 0 0 0 0 0 20 0 1 0 170217 3133440 388";
        for name in ["cat", "a) S 1 (b", "two words", "line\nend", ""] {
            let stat = parse_stat(format!("12 ({name}) {rest}\n").as_bytes()).unwrap();
            let expected = Stat {
                name: name.into(),
                ended: false,
                parent: 7,
                group: 1,
                terminal: Terminal { session: 5, device: 34816 },
                started: "170217".into(),
            };
            assert_eq!(stat, expected);
        }
        assert!(parse_stat(format!("12 (cat) {}", rest.replacen('S', "Z", 1)).as_bytes()).unwrap().ended);
        for broken in ["", "12", "12 (cat", "12 (cat) S", ")(", "12 (cat) S 7 1 1"] {
            assert_eq!(parse_stat(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn only_another_boot_of_this_very_machine_proves_a_process_gone() {
        use ScopeRelation::{Elsewhere, OtherBootOfThisMachine, Same};
        let own = "machine@host/boot/4026531836";
        let cases = [
            (own, own, Same),
            (own, "machine@renamed/boot/4026531836", Same),
            (own, "machine@host/earlier/4026531836", OtherBootOfThisMachine),
            (own, "machine@host/boot/4026532000", Elsewhere),
            (own, "machine@copy/earlier/4026531836", Elsewhere),
            (own, "other@host/earlier/4026531836", Elsewhere),
            (own, "machine@host/earlier/4026532000", Elsewhere),
            (own, "machine@host//4026531836", Elsewhere),
            (own, "boot", Elsewhere),
            ("@host/boot/4026531836", "@host/earlier/4026531836", Elsewhere),
            ("machine@host/boot/4026532000", "machine@host/earlier/4026532000", Elsewhere),
            (own, "machine@host/boot/4026531836/4026532177", Elsewhere),
            (own, "machine@host/earlier/4026531836/4026532177", OtherBootOfThisMachine),
            ("machine@host/boot/4026531836/4026532177", own, Elsewhere),
            ("machine@host/boot/4026531836/4026532177", "machine@host/boot/4026531836/4026532177", Same),
            (own, "machine@host/boot/4026531836/", Elsewhere),
            (own, "machine@host/boot/4026531836/4026532177/1", Elsewhere),
        ];
        for (own, recorded, expected) in cases {
            assert_eq!(relation(own, recorded), expected, "{recorded} seen from {own}");
        }
    }
}
