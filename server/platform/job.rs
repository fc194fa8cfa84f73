//! A command as a shell runs its jobs: in a process group of its own, which has the terminal while it is in the foreground.
//!
//! Its process is there before it becomes the command, and waits to be told. So whoever starts it knows its number, and can
//! write down whose the command will be, before it does anything.

#[cfg(unix)]
pub use self::unix::{Ending, Job, Signals, TakenSignals, end_by_signal};

#[cfg(not(unix))]
pub use self::plain::{Ending, Job, Signals, TakenSignals, end_by_signal};

#[cfg(unix)]
mod unix {
    use std::cell::OnceCell;
    use std::convert::Infallible;
    use std::ffi::{OsStr, OsString};
    use std::fs::File;
    use std::io::{self, BufRead, BufReader, PipeReader, Write};
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
    use std::time::{Duration, Instant};

    use fork::{Fork, fork};
    use nix::sys::signal::{SigSet, SigmaskHow, Signal as Named};
    use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
    use rustix::termios::{tcgetpgrp, tcsetpgrp};

    use crate::{Process, process, system};

    /// Signals that others send to whoever started a command, and mean the command.
    const PASSED_ON: [Named; 8] = [
        Named::SIGHUP,
        Named::SIGINT,
        Named::SIGQUIT,
        Named::SIGTERM,
        Named::SIGUSR1,
        Named::SIGUSR2,
        Named::SIGALRM,
        Named::SIGWINCH,
    ];

    /// How a command ended.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Ending {
        /// With this code.
        Code(i32),
        /// By the signal with this number.
        Signal {
            /// Which one.
            number: i32,
            /// The command had the terminal, so that the signal may have been a key.
            had_terminal: bool,
        },
    }

    /// The signals of this process.
    #[derive(Debug)]
    pub struct Signals {
        set: SigSet,
        taken: TakenSignals,
        /// Where a thread hears them.
        told: OnceCell<Receiver<i32>>,
    }

    /// Those that this process took for itself, and that a command gets all the same. What whoever started this process
    /// holds back from it is held back from the command too.
    #[derive(Debug, Clone)]
    pub struct TakenSignals(SigSet);

    impl Signals {
        /// Takes them from the system. To be called before this process starts a thread, because threads inherit it.
        pub fn take() -> io::Result<Self> {
            let all: SigSet = heard().iter().chain(&unheard()).collect();
            let before = all.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
            let taken = all.iter().filter(|signal| !before.contains(*signal)).collect();
            Ok(Self { set: heard(), taken: TakenSignals(taken), told: OnceCell::new() })
        }

        /// Those that were taken.
        pub fn taken(&self) -> TakenSignals {
            self.taken.clone()
        }

        /// Tells each from now on, by its number, from a thread of its own, even while nobody attends to them.
        pub fn tell(&self, hear: impl Fn(i32) + Send + 'static) -> io::Result<()> {
            let (tell, told) = channel();
            let set = self.set;
            let wait = move || {
                while let Ok(signal) = set.wait() {
                    hear(signal as i32);
                    // Nobody attends only at the end.
                    let _ = tell.send(signal as i32);
                }
            };
            std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
            let _ = self.told.set(told);
            Ok(())
        }

        /// The number of the next one; `None` if none comes in this time, or perhaps a little sooner.
        fn next(&self, limit: Duration) -> io::Result<Option<i32>> {
            if self.told.get().is_none() {
                // Whoever waits by itself is awake sooner than one whom a thread tells.
                match system::next_signal(&self.set, limit) {
                    Some(next) => return next,
                    None => self.tell(|_| ())?,
                }
            }
            let Some(told) = self.told.get() else { return Ok(None) };
            let next = told.recv_timeout(limit);
            if next == Err(RecvTimeoutError::Disconnected) {
                std::thread::sleep(limit.min(Duration::from_millis(50)));
            }
            Ok(next.ok())
        }

        /// True for one that asks this process to end, unless whoever started it wants that to be ignored, as `nohup` does.
        pub fn asks_to_end(number: i32) -> bool {
            let asks =
                [Named::SIGHUP, Named::SIGINT, Named::SIGQUIT, Named::SIGTERM].iter().any(|it| *it as i32 == number);
            asks && !system::is_ignored(number)
        }
    }

    /// Whoever starts this process may ignore the ends of its own children. Then the system forgets how this one's end, as
    /// long as nobody here hears of them.
    fn hear_of_ends() -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        if !system::is_ignored(Named::SIGCHLD as i32) {
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _inside = runtime.enter();
        signal(SignalKind::child()).map(drop)
    }

    fn heard() -> SigSet {
        PASSED_ON.into_iter().chain([Named::SIGCHLD, Named::SIGCONT]).collect()
    }

    /// Whoever takes the terminal back from the background would be stopped by this one.
    fn unheard() -> SigSet {
        std::iter::once(Named::SIGTTOU).collect()
    }

    /// A process that waits to become a command, and then is it.
    #[derive(Debug)]
    pub struct Job {
        process: Process,
        /// Tells it to begin. If this process dies before, it ends too.
        begin: Option<io::PipeWriter>,
        terminal: Option<Terminal>,
        had_terminal: bool,
    }

    impl Job {
        /// Starts the process, which waits. If it cannot become the command it asks what to say of that, and ends with the code
        /// that it gets.
        ///
        /// The process begins as a copy of this one, which costs a fraction of what it takes to start a program. To be called
        /// before this process starts a thread: the copy has none but its caller, and others may hold locks at that moment.
        pub fn prepare(
            command: &[OsString],
            taken: &TakenSignals,
            not_started: impl FnOnce(&io::Error, &OsStr) -> i32,
        ) -> io::Result<Self> {
            let (told, begin) = io::pipe()?;
            let pid = match fork()? {
                Fork::Child => {
                    drop(begin);
                    let program = command.first().map_or(OsStr::new(""), OsString::as_os_str);
                    let error = become_when_told(told, program, command.get(1..).unwrap_or(&[]), taken);
                    std::process::exit(not_started(&error, program))
                }
                Fork::Parent(pid) => pid.unsigned_abs(),
            };
            let process = process(pid).unwrap_or(Process { pid, started: String::new() });
            let job = Self { process, begin: Some(begin), terminal: Terminal::of_this_process(), had_terminal: false };
            // The copy does the same. Whichever is first, there is the group from now on.
            let _ = rustix::process::setpgid(job.pid(), job.pid());
            hear_of_ends()?;
            Ok(job)
        }

        /// The process.
        pub fn process(&self) -> &Process {
            &self.process
        }

        /// Its process group.
        pub fn group(&self) -> Option<u32> {
            Some(self.process.pid)
        }

        /// Lets it become the command, with these variables beside this process's own.
        pub fn begin(&mut self, variables: &[(String, String)]) -> io::Result<()> {
            let Some(mut begin) = self.begin.take() else { return Ok(()) };
            self.give_terminal();
            let mut told: String = variables.iter().flat_map(|(name, value)| [name, "=", value, "\n"]).collect();
            told.push('\n');
            begin.write_all(told.as_bytes())
        }

        /// Waits for its end, as a shell does: signals are passed on, and where it is paused so is this process.
        /// `meanwhile` is asked at times, and says after how long again.
        pub fn attend(&mut self, signals: &Signals, mut meanwhile: impl FnMut() -> Duration) -> io::Result<Ending> {
            let mut due = Instant::now() + meanwhile();
            loop {
                if let Some(status) = self.state(WaitOptions::NOHANG | WaitOptions::UNTRACED)? {
                    if let Some(ending) = self.ending(status) {
                        self.take_terminal_back();
                        return Ok(ending);
                    }
                    self.pause_like_it(signals)?;
                    continue;
                }
                let left = due.saturating_duration_since(Instant::now());
                match signals.next(left)? {
                    Some(number) => self.pass_on(number),
                    None if Instant::now() >= due => due = Instant::now() + meanwhile(),
                    None => {}
                }
            }
        }

        fn state(&self, how: WaitOptions) -> io::Result<Option<WaitStatus>> {
            let found = rustix::process::waitpid(self.pid(), how)?;
            Ok(found.map(|(_, status)| status))
        }

        fn ending(&self, status: WaitStatus) -> Option<Ending> {
            let by_signal = |number| Ending::Signal { number, had_terminal: self.had_terminal };
            status.exit_status().map(Ending::Code).or_else(|| status.terminating_signal().map(by_signal))
        }

        fn pass_on(&self, number: i32) {
            if number == Named::SIGCONT as i32 {
                self.go_on();
            } else if number != Named::SIGCHLD as i32
                && let (Some(group), Some(signal)) = (self.pid(), Signal::from_named_raw(number))
            {
                // It may have ended just now.
                let _ = rustix::process::kill_process_group(group, signal);
            }
        }

        /// The command was stopped, mostly by Ctrl-Z: so are those who were started together with this process, so that the
        /// shell notices.
        fn pause_like_it(&mut self, signals: &Signals) -> io::Result<()> {
            /// Where no shell could let this process go on, the system does not stop it.
            const NOT_STOPPED: Duration = Duration::from_secs(1);
            if self.terminal.is_none() {
                return Ok(());
            }
            self.take_terminal_back();
            let _ = rustix::process::kill_current_process_group(Signal::TSTP);
            let start = Instant::now();
            loop {
                let left = NOT_STOPPED.saturating_sub(start.elapsed());
                match signals.next(left)? {
                    Some(number) if number == Named::SIGCONT as i32 => break,
                    Some(number) => self.pass_on(number),
                    None if left.is_zero() => break,
                    None => {}
                }
            }
            self.had_terminal |= self.terminal.as_ref().is_some_and(Terminal::is_ours);
            self.go_on();
            Ok(())
        }

        fn go_on(&self) {
            let Some(group) = self.pid() else { return };
            if let Some(terminal) = self.terminal.as_ref().filter(|terminal| terminal.is_ours()) {
                terminal.give(group);
            }
            let _ = rustix::process::kill_process_group(group, Signal::CONT);
        }

        fn give_terminal(&mut self) {
            let ours = self.terminal.as_ref().filter(|terminal| terminal.is_ours());
            if let (Some(terminal), Some(group)) = (ours, self.pid()) {
                terminal.give(group);
                self.had_terminal = true;
            }
        }

        fn take_terminal_back(&self) {
            if let Some(terminal) = self.terminal.as_ref().filter(|it| it.foreground() == self.pid()) {
                terminal.give(rustix::process::getpgrp());
            }
        }

        fn pid(&self) -> Option<Pid> {
            i32::try_from(self.process.pid).ok().and_then(Pid::from_raw)
        }
    }

    /// The terminal that this process was started in.
    #[derive(Debug)]
    struct Terminal(File);

    impl Terminal {
        fn of_this_process() -> Option<Self> {
            File::options().read(true).write(true).open("/dev/tty").ok().map(Self)
        }

        fn foreground(&self) -> Option<Pid> {
            tcgetpgrp(&self.0).ok()
        }

        fn is_ours(&self) -> bool {
            self.foreground() == Some(rustix::process::getpgrp())
        }

        /// A terminal that is gone needs nothing.
        fn give(&self, group: Pid) {
            let _ = tcsetpgrp(&self.0, group);
        }
    }

    /// Waits to be told, and then is the command. Returns only what went wrong.
    fn become_when_told(told: PipeReader, program: &OsStr, arguments: &[OsString], taken: &TakenSignals) -> io::Error {
        let become_it = || -> io::Result<Infallible> {
            rustix::process::setpgid(None, None)?;
            let Some(variables) = variables(told)? else {
                // Whoever would have told it is gone, or does not want it any more.
                std::process::exit(0)
            };
            taken.0.thread_unblock()?;
            Err(Command::new(program).args(arguments).envs(variables).exec())
        };
        let Err(error) = become_it();
        error
    }

    fn variables(told: PipeReader) -> io::Result<Option<Vec<(String, String)>>> {
        let mut found = Vec::new();
        for line in BufReader::new(told).lines() {
            let line = line?;
            if line.is_empty() {
                return Ok(Some(found));
            }
            found.extend(line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Ok(None)
    }

    /// Ends this process as the signal ends one. Returns if it does not.
    pub fn end_by_signal(number: i32, with_others: bool) {
        use rustix::process::{Resource, Rlimit};
        let (Some(signal), Ok(named)) = (Signal::from_named_raw(number), Named::try_from(number)) else { return };
        // The command's own memory was written out already, where that is wanted.
        let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        let mut set = SigSet::empty();
        set.add(named);
        let _ = set.thread_unblock();
        let _ = if with_others {
            rustix::process::kill_current_process_group(signal)
        } else {
            rustix::process::kill_process(rustix::process::getpid(), signal)
        };
        // It comes at once, except where it is ignored.
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(not(unix))]
mod plain {
    use std::ffi::{OsStr, OsString};
    use std::io;
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};

    use crate::{Process, current_process};

    /// How a command ended.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Ending {
        /// With this code.
        Code(i32),
        /// Never here.
        Signal {
            /// Which one.
            number: i32,
            /// False.
            had_terminal: bool,
        },
    }

    /// There are none here: the console tells every program of a key.
    #[derive(Debug)]
    pub struct Signals;

    /// None.
    #[derive(Debug, Clone)]
    pub struct TakenSignals;

    impl Signals {
        /// Takes nothing.
        pub fn take() -> io::Result<Self> {
            Ok(Self)
        }

        /// None.
        pub fn taken(&self) -> TakenSignals {
            TakenSignals
        }

        /// Tells nothing.
        pub fn tell(&self, _: impl Fn(i32) + Send + 'static) -> io::Result<()> {
            Ok(())
        }

        /// True for none.
        pub fn asks_to_end(_: i32) -> bool {
            false
        }
    }

    /// A command that is yet to be started; until then its process is this one.
    #[derive(Debug)]
    pub struct Job {
        command: Vec<OsString>,
        process: Process,
        child: Option<Child>,
    }

    impl Job {
        /// Starts nothing yet.
        pub fn prepare(
            command: &[OsString],
            _: &TakenSignals,
            _: impl FnOnce(&io::Error, &OsStr) -> i32,
        ) -> io::Result<Self> {
            Ok(Self { command: command.to_vec(), process: current_process(), child: None })
        }

        /// This process, which lasts as long as the command.
        pub fn process(&self) -> &Process {
            &self.process
        }

        /// There are no process groups here.
        pub fn group(&self) -> Option<u32> {
            None
        }

        /// Starts the command, with these variables beside this process's own.
        pub fn begin(&mut self, variables: &[(String, String)]) -> io::Result<()> {
            let Some((program, arguments)) = self.command.split_first() else { return Ok(()) };
            let variables = variables.iter().map(|(name, value)| (name, value));
            self.child = Some(Command::new(program).args(arguments).envs(variables).spawn()?);
            Ok(())
        }

        /// Waits for its end. `meanwhile` is asked at times, and says after how long again.
        pub fn attend(&mut self, _: &Signals, mut meanwhile: impl FnMut() -> Duration) -> io::Result<Ending> {
            let mut due = Instant::now() + meanwhile();
            let Some(child) = &mut self.child else { return Ok(Ending::Code(0)) };
            loop {
                if let Some(status) = child.try_wait()? {
                    return Ok(Ending::Code(status.code().unwrap_or(1)));
                }
                if Instant::now() >= due {
                    due = Instant::now() + meanwhile();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Does nothing here.
    pub fn end_by_signal(_: i32, _: bool) {}
}
