//! Surroundings that work against whoever works in them: a full disk, a directory that cannot be written, too few file
//! handles, no notifications, a file system without locks or links, a directory that vanishes, a clock that goes back.
//!
//! Each is brought about as it happens. Where a machine doesn't allow that, or never has such a file system, the system
//! calls are made to fail as they would. While it lasts, editor and terminal say what is wrong and go on; when it is
//! over, so does the work, and nothing was lost.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use crate::support::{CodingAgent, Document, Editor, Outcome, Running, Terminal, Workspace, wait_for, wait_within};

/// A workspace, and in what surroundings editors and terminals are started in it.
struct Surroundings {
    workspace: Workspace,
    faults: PathBuf,
    program: PathBuf,
    user: Option<u32>,
}

impl Surroundings {
    fn new() -> Self {
        let workspace = Workspace::small();
        let faults = workspace.beside("faults");
        fs::write(&faults, "").unwrap();
        Self { workspace, faults, program: env!("CARGO_BIN_EXE_deconflict").into(), user: None }
    }

    /// Starts the program by a shell script instead.
    fn started_by(mut self, script: &str) -> Self {
        self.program = self.workspace.beside("start");
        let script = script.replace("PROGRAM", env!("CARGO_BIN_EXE_deconflict"));
        fs::write(&self.program, format!("#!/bin/sh\n{script} \"$@\"\n")).unwrap();
        fs::set_permissions(&self.program, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Makes system calls fail from now on.
    fn order(&self, faults: &str) {
        // In one step, so that nobody reads half of it.
        let next = self.workspace.beside("faults.next");
        fs::write(&next, faults).unwrap();
        fs::rename(next, &self.faults).unwrap();
    }

    fn fail(&self, kinds: &[&str], error: rustix::io::Errno) {
        let orders: Vec<String> = kinds.iter().map(|kind| format!("fail {kind} {}", error.raw_os_error())).collect();
        self.order(&orders.join("\n"));
    }

    fn editor(&self) -> Editor {
        let builder = Editor::builder(&self.workspace).env("DECONFLICT_FAULTS", self.faults.to_str().unwrap());
        match self.user {
            Some(user) => builder.run_as(user, &self.program).start(),
            None => builder.program(&self.program).start(),
        }
    }

    fn terminal(&self) -> Terminal {
        let terminal = Terminal::on(&self.workspace).env("DECONFLICT_FAULTS", &self.faults).program(&self.program);
        self.user.map_or(terminal.clone(), |user| terminal.run_as(user))
    }
}

/// Work of an editor and a terminal, before something goes wrong.
struct Work {
    editor: Editor,
    editor_id: String,
    bob: Terminal,
    bob_id: String,
}

impl Work {
    fn begin(here: &Surroundings) -> Self {
        let editor = here.editor();
        editor.open("src/main.rs").type_text("x");
        wait_for("the first claim", || is_claimed(&editor, "src/main.rs").then_some(()));
        let bob_id = here.terminal().run(["start", "--name", "bob"]).expect_code(0).stdout.trim().to_owned();
        let bob = here.terminal().session(&bob_id);
        bob.run(["claim", "file", "README.md"]).expect_code(0);
        let editor_id = editor.session_id();
        bob.run(["send", &editor_id, "Lunch?", "At noon"]).expect_code(0);
        editor.wait_for_message("At noon");
        Self { editor, editor_id, bob, bob_id }
    }

    /// Types into a second file, which cannot be claimed now.
    fn expect_trouble(&self, here: &Surroundings, words: &[&str]) {
        let parser = self.editor.open("src/parser.rs");
        parser.type_text("y");
        self.expect_told(words);
        self.expect_editing_goes_on(&parser);
        expect_clear(&self.bob.run(["claim", "file", "src/lib.rs"]), words);
        self.expect_no_message_lost(words);
        let asked = self.editor.execute("deconflict.claim", json!({ "uri": here.workspace.uri("src/lib.rs") }));
        assert_eq!(asked["ok"], false, "{asked}");
        assert!(words.iter().all(|word| asked["message"].as_str().unwrap().contains(word)), "{asked}");
    }

    /// Whoever sends a message is told what became of it: it is there, or it could not be sent.
    fn expect_no_message_lost(&self, words: &[&str]) {
        let sent = self.bob.run(["send", &self.editor_id, "Dinner?", "At seven"]);
        if sent.exit_code == 0 {
            self.editor.wait_for_message("At seven");
        } else {
            expect_clear(&sent, words);
        }
    }

    fn expect_told(&self, words: &[&str]) {
        let told = wait_for("the editor to say what is wrong", || {
            let messages = self.editor.messages();
            messages.into_iter().find(|message| words.iter().all(|word| message.contains(word)))
        });
        assert!(!told.contains(".unfinished"), "it names a file that nobody knows: {told}");
    }

    /// Typing and saving goes on, the server answers, and says nothing more.
    fn expect_editing_goes_on(&self, document: &Document) {
        let so_far = self.editor.messages().len();
        for _ in 0..5 {
            document.save();
            document.type_text("y");
        }
        document.hover(0, 0);
        assert_eq!(self.editor.messages().len(), so_far, "{:?}", self.editor.messages());
    }

    /// Everything can be done again, and nothing is lost. What could not be claimed is claimed without a keystroke.
    fn expect_all_well(self) {
        let Self { editor, bob, bob_id, .. } = self;
        wait_for("the second file to be claimed", || is_claimed(&editor, "src/parser.rs").then_some(()));
        bob.run(["claim", "file", "src/lib.rs"]).expect_code(0);
        bob.run(["send", "broadcast", "Hello", "All"]).expect_code(0);
        editor.execute_ok("deconflict.sendMessage", json!({ "to": bob_id, "subject": "Yes", "message": "At one" }));
        for name in ["src/main.rs", "src/parser.rs", "README.md", "src/lib.rs"] {
            assert!(is_claimed(&editor, name), "{name} is claimed: {}", editor.status());
        }
        let messages = bob.run(["messages", "--json"]).expect_code(0).json().to_string();
        assert!(messages.contains("At one"), "{messages}");
        assert_eq!(editor.quit(), 0);
        let left = bob.run(["status", "--json"]).expect_code(0).json()["claims"].to_string();
        assert!(left.contains("README.md") && !left.contains("src/main.rs"), "{left}");
    }
}

/// Asked of the server, because the directory may be where only it can see it.
fn is_claimed(editor: &Editor, name: &str) -> bool {
    editor.status()["claims"].to_string().contains(&format!("\"{name}\""))
}

fn expect_clear(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.exit_code, 3, "{outcome:?}");
    assert!(words.iter().all(|word| outcome.stderr.contains(word)), "{outcome:?}");
    assert!(!outcome.stderr.contains(".unfinished"), "it names a file that nobody knows: {outcome:?}");
}

/// Lets a cause begin while an editor and a terminal work, and end again.
fn expect_work_to_go_on(here: &Surroundings, begin: impl FnOnce(), end: impl FnOnce(), words: &[&str]) {
    let work = Work::begin(here);
    begin();
    work.expect_trouble(here, words);
    end();
    work.expect_all_well();
}

/// A place with file systems of its own, which nobody else sees and which go with it.
struct Place {
    keeper: Child,
    user: &'static str,
}

impl Place {
    /// Mounts something for itself alone. `None` where the machine doesn't let anybody do that.
    fn with(mount: &str) -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let (unshare, user): (&[&str], _) =
            if is_root { (&[], "") } else { (&["--user", "--map-root-user"], "--user --preserve-credentials") };
        let mut keeper = Command::new("unshare")
            .args(unshare)
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .arg(format!("{mount} && echo ready && exec cat"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut said = String::new();
        BufReader::new(keeper.stdout.take()?).read_line(&mut said).ok()?;
        let place = Self { keeper, user };
        (said == "ready\n").then_some(place)
    }

    /// What starts a program there.
    fn enter(&self) -> String {
        format!("exec nsenter --target {} {} --mount --wdns=\"$PWD\" -- PROGRAM", self.keeper.id(), self.user)
    }

    /// Runs a shell command there.
    fn run(&self, command: &str) {
        let script = self.enter().replace("PROGRAM", "sh -c").replace("--wdns=\"$PWD\"", "");
        let status = Command::new("sh").arg("-c").arg(format!("{script} '{command}'")).status().unwrap();
        assert!(status.success(), "{command}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

#[test]
fn a_full_disk() {
    let here = Surroundings::new();
    let directory = here.workspace.coordination().directory().to_owned();
    fs::create_dir(&directory).unwrap();
    let path = directory.display();
    let words = ["is full", "Make room"];
    let Some(place) = Place::with(&format!("mount -t tmpfs -o size=512k,mode=755 proof {path}")) else {
        eprintln!("nothing can be mounted here, so the disk only says that it is full");
        return expect_work_to_go_on(
            &here,
            || here.fail(&["write", "makefolder"], rustix::io::Errno::NOSPC),
            || here.order(""),
            &words,
        );
    };
    let here = here.started_by(&place.enter());
    expect_work_to_go_on(
        &here,
        || place.run(&format!("cat /dev/zero >{path}/.filler 2>/dev/null; test -s {path}/.filler")),
        || place.run(&format!("rm {path}/.filler")),
        &words,
    );
}

#[test]
fn a_full_disk_at_the_start() {
    let here = Surroundings::new();
    here.fail(&["write", "makefolder"], rustix::io::Errno::NOSPC);
    let editor = here.editor();
    let main = editor.open("src/main.rs");
    main.type_text("x");
    editor.wait_for_message("is full");
    expect_clear(&here.terminal().run(["start"]), &["is full", "Make room"]);
    here.order("");
    here.workspace.coordination().wait_for_claim("src/main.rs");
    here.terminal().run(["start"]).expect_code(0);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_directory_that_turns_read_only() {
    let here = Surroundings::new();
    let kinds = ["create", "write", "link", "rename", "exchange", "remove", "makefolder", "attributes"];
    let begin = || here.fail(&kinds, rustix::io::Errno::ROFS);
    expect_work_to_go_on(&here, begin, || here.order(""), &["cannot be written"]);
}

#[test]
fn a_read_only_file_system() {
    let here = Surroundings::new();
    let coordination = here.workspace.coordination();
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    let path = coordination.directory().display().to_string();
    let kinds = ["create", "write", "link", "rename", "exchange", "remove", "makefolder", "attributes"];
    let place = Place::with(&format!("mount --bind {path} {path} && mount -o remount,bind,ro {path}"));
    let here = match &place {
        Some(place) => here.started_by(&place.enter()),
        None => here,
    };
    if place.is_none() {
        eprintln!("nothing can be mounted here, so the file system only says that it is read-only");
        here.fail(&kinds, rustix::io::Errno::ROFS);
    }
    let editor = here.editor();
    editor.open("src/lib.rs").wait_for_diagnostic("claimed");
    editor.open("src/main.rs").type_text("x");
    editor.wait_for_message("cannot be written");
    expect_clear(&here.terminal().run(["start"]), &["cannot be written"]);
    let seen = here.terminal().run(["status"]).expect_code(0);
    assert!(seen.stdout.contains("src/lib.rs"), "what others hold is seen all the same: {seen:?}");

    match &place {
        Some(place) => place.run(&format!("mount -o remount,bind,rw {path}")),
        None => here.order(""),
    }
    coordination.wait_for_claim("src/main.rs");
    here.terminal().run(["start"]).expect_code(0);
    assert_eq!(editor.quit(), 0);
    assert!(coordination.claim("src/main.rs").is_none());
}

#[test]
fn no_permission() {
    const NOBODY: u32 = 65_534;
    let mut here = Surroundings::new();
    let directory = here.workspace.coordination().directory().to_owned();
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere, so somebody else has to try.
        let program = here.workspace.beside("deconflict");
        fs::copy(&here.program, &program).unwrap();
        let scratch = here.workspace.beside("");
        fs::set_permissions(&scratch, fs::Permissions::from_mode(0o755)).unwrap();
        let status = Command::new("chown").args(["-R", &NOBODY.to_string()]).arg(&scratch).status().unwrap();
        assert!(status.success());
        (here.user, here.program) = (Some(NOBODY), program);
    }
    let set_mode = |mode| {
        for folder in folders(&directory) {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    expect_work_to_go_on(&here, || set_mode(0o555), || set_mode(0o755), &["cannot be written", "permissions"]);
}

/// A folder and all below it.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let inner = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    inner.flat_map(|path| folders(&path)).chain([folder.to_owned()]).collect()
}

#[test]
fn too_many_open_files() {
    let here = Surroundings::new();
    let work = Work::begin(&here);
    let server = Pid::from_raw(i32::try_from(work.editor.server_id()).unwrap()).unwrap();
    let limit_of = |soft: u64| Rlimit { current: Some(soft), maximum: getrlimit(Resource::Nofile).maximum };
    // What is open stays open, and nothing more can be opened.
    prlimit(Some(server), Resource::Nofile, limit_of(3)).unwrap();
    let poor =
        Surroundings { faults: here.faults.clone(), ..Surroundings::new() }.started_by("ulimit -n 4; exec PROGRAM");
    let bob = work.bob.clone();
    let starved = Work { bob: bob.clone().program(&poor.program), ..work };
    starved.expect_trouble(&here, &["too many files are open"]);
    prlimit(Some(server), Resource::Nofile, limit_of(1024)).unwrap();
    Work { bob, ..starved }.expect_all_well();
}

#[test]
fn no_notifications() {
    let limits =
        "unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_inotify_instances && exec \"$@\"' sh";
    let can_be_limited = Command::new("sh").arg("-c").arg(format!("{limits} true")).status().unwrap().success();
    let here = if can_be_limited {
        Surroundings::new().started_by(&format!("exec {limits} PROGRAM"))
    } else {
        eprintln!("limits cannot be lowered here, so watching only says that there is none left");
        let here = Surroundings::new();
        here.fail(&["watch"], rustix::io::Errno::MFILE);
        here
    };
    let work = Work::begin(&here);
    work.expect_told(&["cannot be watched", "every few seconds"]);
    let lib = work.editor.open("src/lib.rs");
    work.bob.run(["claim", "file", "src/lib.rs"]).expect_code(0);
    lib.wait_for_diagnostic("claimed");
    work.bob.run(["release", "file", "src/lib.rs"]).expect_code(0);
    lib.wait_until_gone("claimed");
    let doctor = here.terminal().run(["doctor"]);
    assert!(doctor.stdout.contains("cannot be watched") && doctor.stdout.contains("limit on watches"), "{doctor:?}");
    work.editor.open("src/parser.rs").type_text("x");
    work.expect_all_well();
}

/// There claims are only advice: everybody who claims is told so once, and work goes on as elsewhere.
#[test]
fn a_file_system_without_locks() {
    for error in [rustix::io::Errno::NOLCK, rustix::io::Errno::OPNOTSUPP, rustix::io::Errno::NOSYS] {
        let here = Surroundings::new();
        here.fail(&["lock"], error);
        let work = Work::begin(&here);
        let directory = here.workspace.coordination().directory().display().to_string();
        let words = ["only advice", "cannot lock files", directory.as_str()];
        work.expect_told(&words);
        let parser = work.editor.open("src/parser.rs");
        parser.type_text("y");
        wait_for("the second claim", || is_claimed(&work.editor, "src/parser.rs").then_some(()));
        work.expect_editing_goes_on(&parser);
        work.editor.execute_ok("deconflict.claim", json!({ "uri": here.workspace.uri("Cargo.lock") }));
        let warnings = || work.editor.messages().iter().filter(|message| message.contains("only advice")).count();
        assert_eq!(warnings(), 1, "{:?}", work.editor.messages());

        let told = work.bob.run(["claim", "file", "src/lib.rs"]).expect_code(0);
        assert!(words.iter().chain(&["--dir"]).all(|word| told.stderr.contains(word)), "{told:?}");
        assert_eq!(told.stderr.lines().count(), 1, "{told:?}");
        let told = work.bob.run(["claim", "file", "src/lib.rs", "--json"]).expect_code(0);
        assert_eq!((told.json()["only_advice"].as_bool(), told.stderr.as_str()), (Some(true), ""));
        let refused = work.bob.run(["claim", "file", "src/main.rs"]).expect_code(1);
        assert!(refused.stderr.contains("src/main.rs"), "who is second is refused all the same: {refused:?}");
        work.bob.run(["release", "file", "src/lib.rs"]).expect_code(0);

        let agent = CodingAgent::on(&here.workspace, "one").env("DECONFLICT_FAULTS", here.faults.to_str().unwrap());
        let told = agent.start();
        assert!(words.iter().all(|word| told.context().contains(word)), "{told:?}");
        agent.before_edit("docs.md").expect_silence();
        assert!(agent.before_edit("src/main.rs").expect_denial().contains("src/main.rs"));
        agent.end();

        let doctor = here.terminal().run(["doctor"]).expect_code(1);
        assert!(doctor.stdout.contains("only advice") && doctor.stdout.contains("that can lock files"), "{doctor:?}");
        work.expect_all_well();
    }
}

/// A lock that fails for another reason may be had in a moment. Then nothing is claimed without it.
#[test]
fn a_lock_that_fails_for_a_moment() {
    let here = Surroundings::new();
    let begin = || here.fail(&["lock"], rustix::io::Errno::IO);
    expect_work_to_go_on(&here, begin, || here.order(""), &["ould not lock", "COORDINATION/.lock"]);
    let id = here.terminal().run(["start"]).expect_code(0).stdout.trim().to_owned();
    let claimed = here.terminal().session(&id).run(["claim", "file", "Cargo.lock", "--json"]).expect_code(0);
    assert_eq!(claimed.json()["only_advice"], false, "a lock that is kept is no advice: {claimed:?}");
}

/// There the lock alone keeps two of ours from creating one name, and nobody has to be told.
#[test]
fn a_file_system_without_links() {
    let here = Surroundings::new();
    here.fail(&["link"], rustix::io::Errno::PERM);
    let work = Work::begin(&here);
    work.editor.open("src/parser.rs").type_text("x");
    let refused = work.bob.run(["claim", "file", "src/main.rs"]).expect_code(1);
    assert!(refused.stderr.contains("src/main.rs"), "{refused:?}");
    work.expect_all_well();
}

#[test]
fn a_directory_that_is_deleted_or_replaced() {
    let here = Surroundings::new();
    let directory = here.workspace.coordination().directory().to_owned();
    let work = Work::begin(&here);
    // Moved first, because whoever still writes into it would keep it from being removed.
    let doomed = here.workspace.beside("doomed");
    fs::rename(&directory, &doomed).unwrap();
    wait_for("it to be deleted", || fs::remove_dir_all(&doomed).is_ok().then_some(()));
    work.expect_told(&["was deleted", "src/main.rs"]);
    let gone = work.bob.run(["claim", "file", "README.md"]);
    assert_eq!(gone.exit_code, 2, "its session went with the directory: {gone:?}");
    assert!(gone.stderr.contains("deconflict start"), "{gone:?}");
    wait_for("what is unsaved to be claimed again", || is_claimed(&work.editor, "src/main.rs").then_some(()));

    let copy = here.workspace.beside("copy");
    let status = Command::new("cp").arg("-R").arg(&directory).arg(&copy).status().unwrap();
    assert!(status.success());
    // In one step, or the server makes it again between two.
    renameat_with(CWD, &copy, CWD, &directory, RenameFlags::EXCHANGE).unwrap();
    let bob_id = here.terminal().run(["start", "--name", "bob"]).expect_code(0).stdout.trim().to_owned();
    let bob = here.terminal().session(&bob_id);
    bob.run(["claim", "file", "README.md"]).expect_code(0);
    work.editor.open("src/parser.rs").type_text("x");
    Work { bob, bob_id, ..work }.expect_all_well();
}

/// Two hours back: claims that run stay what they are, and leases go on from the new time.
#[test]
fn a_clock_that_goes_back() {
    let here = Surroundings::new();
    let work = Work::begin(&here);
    here.order("clock -7200");
    let told = work.bob.run(["heartbeat", "writing", "README.md", "BUILD"]).expect_code(0);
    assert!(told.stderr.contains("ahead of this computer's clock"), "{told:?}");
    let taken = work.bob.run(["claim", "file", "src/main.rs"]).expect_code(1);
    assert!(taken.stderr.contains("src/main.rs"), "{taken:?}");
    let parser = work.editor.open("src/parser.rs");
    parser.type_text("x");
    work.expect_told(&["clock went back by 2 hours", "set the clock"]);
    work.expect_editing_goes_on(&parser);
    let doctor = here.terminal().run(["doctor"]);
    assert!(doctor.stdout.contains("clock differs by 1 hour 59 minutes"), "{doctor:?}");
    here.order("");
    work.expect_all_well();
}

/// Those who wait in line for what somebody holds, and that one.
struct Waiting {
    holder: Terminal,
    first: Running,
    second: Running,
}

impl Waiting {
    fn begin(here: &Surroundings, lease: &str) -> Self {
        let [holder, first, second] = ["holder", "first", "second"].map(|name| {
            let id = here.terminal().run(["start", "--name", name]).expect_code(0).stdout.trim().to_owned();
            here.terminal().session(&id)
        });
        // Only those who wait are to meet what goes wrong.
        let holder = holder.env("DECONFLICT_FAULTS", "");
        holder.run(["claim", "resource", "db", "--for", lease]).expect_code(0);
        let wait = |terminal: &Terminal, number: usize| {
            let waiting = terminal.spawn(["claim", "--wait", "5m", "resource", "db"]);
            wait_within(PATIENCE, "a ticket", || (tickets(here) == number).then_some(()));
            waiting
        };
        let (first, second) = (wait(&first, 1), wait(&second, 2));
        Self { holder, first, second }
    }
}

const PATIENCE: Duration = Duration::from_mins(1);

fn tickets(here: &Surroundings) -> usize {
    fs::read_dir(here.workspace.path("COORDINATION/.queue")).map_or(0, Iterator::count)
}

fn holder_of_database(here: &Surroundings) -> Option<String> {
    let status = here.terminal().run(["status", "--json"]).expect_code(0).json();
    let claim = status["claims"].as_array().unwrap().iter().find(|claim| claim["resource_name"] == "db").cloned();
    claim.filter(|claim| claim["standing"] == "active").map(|claim| claim["holder"].as_str().unwrap().to_owned())
}

/// Whoever waits goes on waiting, in the same place, and says why once.
#[test]
fn a_full_disk_while_somebody_waits() {
    let here = Surroundings::new();
    let Waiting { holder, first, second } = Waiting::begin(&here, "4h");
    here.fail(&["write", "create"], rustix::io::Errno::NOSPC);
    holder.run(["release", "resource", "db"]).expect_code(0);
    wait_within(PATIENCE, "it to be free", || holder_of_database(&here).is_none().then_some(()));
    // They try once a second, and that nothing comes of it is no event.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!((holder_of_database(&here), tickets(&here)), (None, 2));
    here.order("");
    let first = first.wait_for_at_most(PATIENCE).expect_code(0);
    assert!(first.stderr.contains("Still waiting for") && first.stderr.contains("is full"), "{first:?}");
    assert_eq!(first.stderr.matches("Still waiting for").count(), 1, "{first:?}");
    assert_eq!(holder_of_database(&here).as_deref(), Some("first"));
    assert_eq!(tickets(&here), 1);
    drop(second);
}

/// A lease that runs out by a step of the clock gives it to who came first, and a step back changes nothing.
#[test]
fn a_clock_that_steps_while_somebody_waits() {
    let here = Surroundings::new();
    let Waiting { first, second, .. } = Waiting::begin(&here, "1h");
    here.order("clock -7200");
    // That nothing happens is no event, and they look every five seconds.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(tickets(&here), 2, "they wait on");
    here.order("clock 7200");
    first.wait_for_at_most(PATIENCE).expect_code(0);
    assert_eq!(tickets(&here), 1);
    here.order("");
    assert_eq!(holder_of_database(&here).as_deref(), Some("first"));
    drop(second);
}

/// It is held all the same, and who holds it has to hear that.
#[test]
fn a_take_over_that_cannot_be_told_at_once() {
    let here = Surroundings::new();
    let coordination = here.workspace.coordination();
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    let bob_id = here.terminal().run(["start", "--name", "bob"]).expect_code(0).stdout.trim().to_owned();
    let bob = here.terminal().session(&bob_id);
    here.order(&format!("fail create {} messages", rustix::io::Errno::NOSPC.raw_os_error()));
    bob.run(["claim", "file", "src/lib.rs", "--force"]).expect_code(0);
    let claim = coordination.claim("src/lib.rs").unwrap();
    assert_eq!(claim["claimed_by"], bob_id);
    assert_eq!(claim["displaced"], "ghost", "clean-up tells whoever the record names");
}
