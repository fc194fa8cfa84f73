//! Many who wait for the same, whatever happens to them meanwhile, and how the others see them.

#![cfg(unix)]

use std::collections::HashSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run_verb::{PATIENCE, files_in, holding, prompt, signal, wait_for_file, wait_for_tickets};
use crate::support::{CodingAgent, Editor, Running, Terminal, Workspace, wait_for, wait_within};

/// So many wait for the same.
const CROWD: usize = 64;

/// What somebody who was served wrote: which one, with which process group, and by which grant.
#[derive(Debug, Clone, PartialEq)]
struct Served {
    number: usize,
    group: i64,
    grant: u64,
}

/// A crowd that waits for a resource with so many places, all of which are held.
struct Crowd {
    workspace: Workspace,
    log: PathBuf,
    waiting: Vec<Running>,
    before: Option<(Running, i64)>,
}

impl Crowd {
    fn for_places(places: usize) -> Self {
        let workspace = Workspace::small();
        fs::write(workspace.root().join("deconflict.toml"), format!("[resources.db]\ncount = {places}\n")).unwrap();
        let terminal = prompt(&workspace);
        let (first, told) = holding(&terminal, &workspace, &format!("db*{places}"), "first");
        let group: i64 = wait_for_file(&told).trim().parse().unwrap();
        let log = workspace.root().join(".served");
        let mut waiting = Vec::new();
        for number in 0..CROWD {
            // The number of its grant, too: which of several that run at once writes its line first is not for the queue to say.
            let grant =
                "sed -n 's/.*\"generation\": *\\([0-9]*\\).*/\\1/p' \"COORDINATION/claims/resource-$PLACE.claim\"";
            let line = format!("echo {number} $$ $({grant}) >> {}", log.display());
            // Of those that go on until they are killed, some by their command and some by the one who waited for it.
            let script = if is_killed(number) { format!("{line}; exec sleep 1000") } else { line };
            waiting.push(terminal.spawn(["run", "--with", "PLACE=db", "--wait", "30m", "--", "sh", "-c", &script]));
            wait_for_tickets(&workspace, number + 1);
        }
        Self { workspace, log, waiting, before: Some((first, group)) }
    }

    fn served(&self) -> Vec<Served> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let served = |line: &str| {
            let fields: Vec<&str> = line.split(' ').collect();
            let [number, group, grant] = fields[..] else { panic!("{line}") };
            Some(Served { number: number.parse().ok()?, group: group.parse().ok()?, grant: grant.parse().unwrap() })
        };
        whole.lines().filter_map(served).collect()
    }

    /// Frees the places, and kills those that hold one until all were served.
    fn let_go(&mut self) -> Vec<Served> {
        if let Some((mut first, group)) = self.before.take() {
            first.kill();
            signal("KILL", -group);
        }
        let mut killed = HashSet::new();
        wait_within(4 * PATIENCE, "everybody to be served", || {
            let served = self.served();
            for one in served.iter().filter(|one| is_killed(one.number)) {
                if killed.insert(one.number) {
                    if one.number.is_multiple_of(2) {
                        self.waiting[one.number].kill();
                    }
                    signal("KILL", -one.group);
                }
            }
            (served.len() == CROWD).then_some(served)
        })
    }

    /// All places can be had. What is left of one that was killed last counts no more, and goes with that.
    fn expect_nothing_left(&self, places: usize) {
        wait_for_tickets(&self.workspace, 0);
        let all = format!("db*{places}");
        prompt(&self.workspace).run(["run", "--with", &all, "--wait", "10s", "--", "true"]).expect_code(0);
        assert_eq!(files_in(&self.workspace, "claims"), Vec::<String>::new());
    }
}

/// A third of them at random, the same in each run.
fn is_killed(number: usize) -> bool {
    ((number * 2_654_435_761) >> 7).is_multiple_of(3)
}

#[test]
fn a_crowd_is_served_in_the_order_of_its_tickets_each_once() {
    let mut crowd = Crowd::for_places(1);
    let order: Vec<usize> = crowd.let_go().iter().map(|one| one.number).collect();
    assert_eq!(order, (0..CROWD).collect::<Vec<_>>());
    crowd.expect_nothing_left(1);
}

#[test]
fn a_crowd_is_served_in_order_where_there_are_three_places() {
    let mut crowd = Crowd::for_places(3);
    let mut served = crowd.let_go();
    served.sort_by_key(|one| one.grant);
    let order: Vec<usize> = served.iter().map(|one| one.number).collect();
    assert_eq!(order, (0..CROWD).collect::<Vec<_>>());
    crowd.expect_nothing_left(3);
}

/// How often the threads of a process gave up the processor by themselves, as whoever looks at times has to.
fn times_rested(process: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let switches = |thread: std::io::Result<fs::DirEntry>| {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap_or_default();
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.map_or(0, |count| count.trim().parse::<u64>().unwrap())
    };
    threads.map(switches).sum()
}

/// How long `run` of a shell takes that does nothing, all in all.
fn time_of_a_run(terminal: &Terminal) -> Duration {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let start = Instant::now();
            terminal.run(["run", "--with", "nothing", "--", "bash", "-c", ":"]).expect_code(0);
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// Whoever looked again and again, every 200 ms say, would do so at the least 20 times in the time that is watched here, and
/// would come 100 ms too late in the mean. How fast this machine is just now is measured beside it.
#[test]
#[cfg(target_os = "linux")]
fn whoever_waits_rests_and_begins_as_soon_as_the_one_before_has_ended() {
    const WAITERS: usize = 16;
    const WATCHED: Duration = Duration::from_secs(4);
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let (_holder, told) = holding(&terminal, &workspace, "db", "first");
    let group: i64 = wait_for_file(&told).trim().parse().unwrap();
    let log = workspace.root().join(".log");
    let (by_hand, _) = Terminal::with_named_session(&workspace, "ada");
    let mut waiting = Vec::new();
    for number in 0..WAITERS {
        let tell = |what: &str| format!("echo {what} $EPOCHREALTIME >> {}", log.display());
        let script = format!("{}; {}", tell("begin"), tell("end"));
        waiting.push(terminal.spawn(["run", "--with", "db", "--wait", "30m", "--", "bash", "-c", &script]));
        wait_for_tickets(&workspace, number + 1);
    }
    let last = by_hand.spawn(["claim", "--wait", "30m", "resource", "db"]);
    wait_for_tickets(&workspace, WAITERS + 1);

    // After a second each says where it stands.
    let start = Instant::now();
    wait_for("all to have told their place", || (start.elapsed() > Duration::from_secs(3)).then_some(()));
    let processes: Vec<u32> = waiting.iter().chain([&last]).map(Running::id).collect();
    let before: Vec<u64> = processes.iter().map(|process| times_rested(*process)).collect();
    let start = Instant::now();
    wait_for("some seconds of waiting", || (start.elapsed() > WATCHED).then_some(()));
    let rests = processes.iter().zip(before).map(|(process, before)| times_rested(*process) - before);
    let rests: Vec<u64> = rests.collect();
    assert!(rests.iter().all(|rests| *rests < 15), "how often each of those who wait woke in {WATCHED:?}: {rests:?}");

    signal("KILL", -group);
    for one in waiting {
        one.wait_for_at_most(PATIENCE).expect_code(0);
    }
    last.wait_for_at_most(PATIENCE).expect_code(0);
    let log = fs::read_to_string(&log).unwrap();
    let moments: Vec<f64> = log.lines().map(|line| line.split_once(' ').unwrap().1.parse().unwrap()).collect();
    let mut gaps: Vec<f64> = moments[1..].chunks_exact(2).map(|pair| (pair[1] - pair[0]) * 1e3).collect();
    assert_eq!(gaps.len(), WAITERS - 1, "{log}");
    gaps.sort_by(f64::total_cmp);
    by_hand.run(["release", "--all"]).expect_code(0);
    let whole = time_of_a_run(&terminal).as_secs_f64() * 1e3;
    eprintln!(
        "gap p50 {:.1} ms, longest {:.1} ms; a whole run {whole:.1} ms",
        gaps[gaps.len() / 2],
        gaps[gaps.len() - 1]
    );
    assert!(gaps[gaps.len() / 2] < 1.5 * whole + 20.0, "{gaps:.1?} where a whole run takes {whole:.1} ms");
}

#[test]
fn whoever_waits_gets_it_although_the_directory_is_deleted_meanwhile() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let (_holder, told) = holding(&terminal, &workspace, "db", "first");
    wait_for_file(&told);
    let log = workspace.root().join(".served");
    let mut waiting = Vec::new();
    for number in 0..3 {
        let script = format!("echo {number} >> {}", log.display());
        waiting.push(terminal.spawn(["run", "--with", "db", "--wait", "5m", "--", "sh", "-c", &script]));
        wait_for_tickets(&workspace, number + 1);
    }
    // With it goes what the holder holds.
    wait_for("the directory to be gone", || fs::remove_dir_all(workspace.path("COORDINATION")).is_ok().then_some(()));
    for one in waiting {
        let ended = one.wait_for_at_most(PATIENCE);
        assert_eq!(ended.exit_code, 0, "{ended:?}");
    }
    let mut served: Vec<String> = fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
    served.sort();
    assert_eq!(served, ["0", "1", "2"], "each once");
    wait_for_tickets(&workspace, 0);
}

#[test]
fn one_that_is_stopped_and_killed_in_the_middle_of_the_line_keeps_nobody_waiting() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let (_holder, told) = holding(&terminal, &workspace, "db", "first");
    let group: i64 = wait_for_file(&told).trim().parse().unwrap();
    let mut waiting = Vec::new();
    for number in 0..4 {
        waiting.push(terminal.spawn(["run", "--with", "db", "--wait", "5m", "--", "echo", "served"]));
        wait_for_tickets(&workspace, number + 1);
    }
    let last = waiting.remove(3);
    // The first two are stopped, so that nobody looks for the third, and that one is killed.
    signal("STOP", waiting[0].id().into());
    signal("STOP", waiting[1].id().into());
    waiting[2].kill();
    signal("KILL", -group);
    assert_eq!(last.wait_for_at_most(PATIENCE).expect_code(0).stdout, "served\n");
    for stopped in waiting.drain(..2) {
        signal("CONT", stopped.id().into());
        assert_eq!(stopped.wait_for_at_most(PATIENCE).expect_code(0).stdout, "served\n");
    }
    wait_for_tickets(&workspace, 0);
}

/// Nothing tells when the last process that a command left behind ends.
#[test]
fn whoever_waits_for_what_a_command_left_behind_costs_next_to_nothing() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let script = "sleep 1000 > /dev/null 2>&1 < /dev/null & echo $!";
    let left = terminal.run(["run", "--with", "db", "--", "sh", "-c", script]).expect_code(0);
    let waiting = terminal.spawn(["run", "--with", "db", "--wait", "5m", "--", "echo", "served"]);
    wait_for_tickets(&workspace, 1);
    let used = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", waiting.id())).unwrap();
        let fields: Vec<u64> =
            stat.rsplit_once(") ").unwrap().1.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
        fields[11] + fields[12]
    };
    let (before, start) = (used(), Instant::now());
    wait_for("three seconds of waiting", || (start.elapsed() > Duration::from_secs(3)).then_some(()));
    let ticks = used() - before;
    assert!(ticks < 50, "{ticks} hundredths of a second of processor in three seconds");
    signal("KILL", left.stdout.trim().parse().unwrap());
    assert_eq!(waiting.wait_for_at_most(PATIENCE).expect_code(0).stdout, "served\n");
}

#[test]
fn everybody_sees_who_waits_and_their_user_ends_the_wait_from_the_editor() {
    let workspace = Workspace::small();
    let editor = Editor::builder(&workspace).start();
    editor.open("src/main.rs").type_text("x");
    editor.wait_for_session();
    let terminal = prompt(&workspace);
    let (_holder, told) = holding(&terminal, &workspace, "db", "first");
    wait_for_file(&told);
    let waiting = terminal.spawn(["run", "--with", "db", "--wait", "5m", "--", "touch", "ran"]);
    wait_for_tickets(&workspace, 1);

    workspace.coordination().wait_for("the board to tell who waits", |here| {
        here.board().contains("- **db** - number 1 in line: ").then_some(())
    });
    let place = wait_for("the status to tell who waits", || {
        Some(editor.status()["waiting"][0].clone()).filter(|place| !place.is_null())
    });
    assert_eq!((&place["place"], &place["wanted"]), (&json!(1), &json!("resource/db")), "{place}");
    assert_eq!(place["own"], true, "{place}");

    let ticket = place["ticket"].clone();
    editor.execute_ok("deconflict.leaveQueue", json!({ "ticket": ticket }));
    let left = waiting.wait_for_at_most(PATIENCE).expect_code(1);
    assert!(left.stderr.contains("you left the queue in your editor"), "{left:?}");
    assert!(!workspace.root().join("ran").exists());
    wait_for_tickets(&workspace, 0);
    editor.execute_refused("deconflict.leaveQueue", json!({ "ticket": ticket }), "not-found");
    workspace
        .coordination()
        .wait_for("the board to tell it no more", |here| (!here.board().contains("in line")).then_some(()));
}

#[test]
fn whoever_waits_is_told_behind_whom_and_who_has_it_until_when() {
    let workspace = Workspace::small();
    let (grace, _) = Terminal::with_named_session(&workspace, "grace");
    let (ada, _) = Terminal::with_named_session(&workspace, "ada");
    let (ben, _) = Terminal::with_named_session(&workspace, "ben");
    grace.run(["claim", "resource", "db", "--for", "30m"]).expect_code(0);
    let mut waiting = Vec::new();
    for (number, terminal) in [ada, ben].iter().enumerate() {
        waiting.push(terminal.spawn(["claim", "--wait", "5m", "resource", "db"]));
        wait_for_tickets(&workspace, number + 1);
    }
    let told = prompt(&workspace).run(["run", "--with", "db", "--wait", "3s", "--", "true"]).expect_code(1).stderr;
    let line = told.lines().find(|line| line.contains("third in line behind ada and ben; held by grace since "));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    assert!(line.starts_with("deconflict: Waiting up to ") && line.contains(", until "), "{line}");
    // Ctrl-C leaves nothing behind.
    for one in waiting {
        signal("INT", one.id().into());
        one.wait_for_at_most(PATIENCE);
    }
    wait_for_tickets(&workspace, 0);
}

#[test]
fn all_who_want_to_know_when_it_is_free_are_told_and_have_no_place_in_line() {
    let workspace = Workspace::small();
    let editors = ["alice", "bob"].map(|name| {
        let editor = Editor::start(&workspace, name);
        editor.open("src/main.rs");
        editor
    });
    let (grace, _) = Terminal::with_named_session(&workspace, "grace");
    grace.run(["claim", "resource", "db"]).expect_code(0);
    for editor in &editors {
        editor.wait_for_session();
        wait_for("the claim to be known", || {
            let status = editor.status();
            names(&status["claims"]).contains(&"db").then_some(())
        });
        editor.execute_ok("deconflict.tellWhenFree", json!({ "resource": "resource/db" }));
    }
    assert_eq!(files_in(&workspace, ".queue"), [] as [String; 0]);
    grace.run(["release", "resource", "db"]).expect_code(0);
    for editor in &editors {
        editor.wait_for_message("db is free now");
    }
}

/// Of those who wait only the first hears of claims. Whoever is given something past the line is woken all the same.
#[test]
fn what_is_handed_to_somebody_who_waits_far_behind_is_theirs_at_once() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "ada");
    let (ben, _) = Terminal::with_named_session(&workspace, "ben");
    let (carol, _) = Terminal::with_named_session(&workspace, "carol");
    ada.run(["claim", "resource", "db"]).expect_code(0);
    let first = ben.spawn(["claim", "--wait", "5m", "resource", "db"]);
    wait_for_tickets(&workspace, 1);
    let mut between = Vec::new();
    for number in 2..6 {
        between.push(prompt(&workspace).spawn(["run", "--with", "db", "--wait", "5m", "--", "true"]));
        wait_for_tickets(&workspace, number);
    }
    let last = carol.spawn(["claim", "--wait", "5m", "resource", "db"]);
    wait_for_tickets(&workspace, 6);
    ada.run(["hand-off", "resource", "db", "carol"]).expect_code(0);
    last.wait_for_at_most(PATIENCE).expect_code(0);
    wait_for_tickets(&workspace, 5);
    carol.run(["release", "resource", "db"]).expect_code(0);
    first.wait_for_at_most(PATIENCE).expect_code(0);
    ben.run(["release", "resource", "db"]).expect_code(0);
    for one in between {
        one.wait_for_at_most(PATIENCE).expect_code(0);
    }
}

#[test]
fn whoever_wants_to_know_when_something_of_the_machine_is_free_is_told() {
    let workspace = Workspace::small();
    let editor = Editor::builder(&workspace).start();
    editor.open("src/main.rs").type_text("x");
    editor.wait_for_session();
    let terminal = prompt(&workspace);
    let (mut holder, told) = holding(&terminal, &workspace, "gpu:0", "first");
    let group: i64 = wait_for_file(&told).trim().parse().unwrap();
    editor.execute_ok("deconflict.tellWhenFree", json!({ "resource": "gpu/0", "machine": true }));
    // Nothing is written when a command is killed together with the one who started it.
    holder.kill();
    signal("KILL", -group);
    editor.wait_for_message("gpu 0 is free now");
    let (ada, _) = Terminal::with_named_session(&workspace, "ada");
    ada.run(["claim", "gpu", "0"]).expect_code(0);
    editor.execute_ok("deconflict.tellWhenFree", json!({ "resource": "gpu/0", "machine": true }));
    ada.run(["release", "gpu", "0"]).expect_code(0);
    editor.wait_for_message("gpu 0 is free now");
}

#[test]
fn a_claim_by_hand_in_an_editor_passes_nobody_who_waits_and_an_edit_sees_holders_only() {
    let workspace = Workspace::small();
    let editor = Editor::start(&workspace, "alice");
    editor.open("src/main.rs").type_text("x");
    editor.wait_for_session();
    let (bob, _) = Terminal::with_named_session(&workspace, "bob");
    bob.run(["claim", "file", "src/lib.rs"]).expect_code(0);
    let (carol, _) = Terminal::with_named_session(&workspace, "carol");
    let waiting = carol.spawn(["claim", "--wait", "5m", "file", "src/lib.rs"]);
    wait_for_tickets(&workspace, 1);
    signal("STOP", waiting.id().into());
    bob.run(["release", "file", "src/lib.rs"]).expect_code(0);

    let uri = workspace.uri("src/lib.rs");
    let refused = editor.execute_refused("deconflict.claim", json!({ "uri": uri }), "queued");
    assert!(refused["message"].as_str().unwrap().contains("carol waited for it first"), "{refused}");
    editor.execute_refused("deconflict.takeOver", json!({ "uri": uri }), "queued");
    editor.open("src/lib.rs").type_text("y");
    let alice = editor.session_id();
    workspace.coordination().wait_for_holder("src/lib.rs", &alice);

    editor.execute_ok("deconflict.release", json!({ "uri": uri }));
    editor.execute_ok("deconflict.takeOver", json!({ "uri": uri, "force": true }));
    editor.execute_ok("deconflict.release", json!({ "uri": uri }));
    signal("CONT", waiting.id().into());
    waiting.wait_for_at_most(PATIENCE).expect_code(0);
}

#[test]
fn waits_that_would_close_a_circle_across_clone_and_machine_are_refused() {
    let workspace = Workspace::small();
    let terminal = prompt(&workspace);
    let inner = |own: &str, other: &str, wanted: &str| {
        format!(
            "echo > .{own}; while [ ! -e .{other} ]; do sleep 0.05; done; exec deconflict run --with {wanted} --wait 5m -- echo"
        )
    };
    let one = ["run", "--with", "db", "--", "sh", "-c", &inner("one", "two", "gpu:0")];
    let two = ["run", "--with", "gpu:0", "--", "sh", "-c", &inner("two", "one", "db")];
    let ends = [terminal.spawn(one), terminal.spawn(two)].map(|one| one.wait_for_at_most(PATIENCE));
    assert!(ends.iter().any(|end| end.exit_code == 1 && end.stderr.contains("would never end")), "{ends:?}");
    // Neither waits until its time is over.
    assert!(!ends.iter().any(|end| end.stderr.contains("did not come free")), "{ends:?}");
}

/// The dev server of the test below; as a test it does nothing.
#[test]
fn listens_on_its_port() {
    let Ok(place) = std::env::var("TEST_LISTENS_AND_TELLS") else { return };
    let port = std::env::var("PORT").unwrap();
    let _listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    fs::write(format!("{place}.new"), format!("{port}\n")).unwrap();
    fs::rename(format!("{place}.new"), &place).unwrap();
    wait_within(4 * PATIENCE, "the test to end", || (!Path::new(&place).exists()).then_some(()));
}

#[test]
fn the_dev_servers_of_two_agents_in_two_worktrees_get_a_port_each() {
    const OUTSIDE: u16 = 24_310;
    let workspace = Workspace::small();
    let declared = format!("[resources.web]\ntype = \"port\"\nports = \"{OUTSIDE}-24319\"\nscope = \"machine\"\n");
    workspace.write("deconflict.toml", declared);
    workspace.commit_all("share a port");
    workspace.coordination().create();
    let _outside = TcpListener::bind(("127.0.0.1", OUTSIDE)).unwrap();
    let folders = [workspace.root().to_owned(), workspace.add_worktree("second")];
    let mut servers = Vec::new();
    for (number, folder) in folders.iter().enumerate() {
        let agent = CodingAgent::on(&workspace, &format!("agent-{number}")).in_folder(folder);
        agent.start();
        let told = folder.join(".listens");
        let shell = agent.shell().env("TEST_LISTENS_AND_TELLS", &told);
        shell.run(["run", "--with", "web", "--", "true"]).expect_code(0);
        let test = "waiting_in_line::listens_on_its_port";
        let server = std::env::current_exe().unwrap();
        let server = server.to_str().unwrap();
        servers.push((shell.spawn(["run", "--with", "web", "--", server, "--exact", test]), told));
    }
    let ports: Vec<u16> = servers.iter().map(|(_, told)| wait_for_file(told).trim().parse().unwrap()).collect();
    assert_ne!(ports[0], ports[1]);
    assert!(ports.iter().all(|port| *port != OUTSIDE), "{ports:?}: something outside listens on the first");
    for port in &ports {
        TcpStream::connect(("127.0.0.1", *port)).unwrap();
    }
    let machine = prompt(&workspace).run(["status", "--json"]).expect_code(0).json();
    let held = machine["machine"]["claims"].as_array().unwrap();
    assert_eq!(held.len(), 2, "{machine}");
    for (server, told) in servers {
        fs::remove_file(told).unwrap();
        server.wait_for_at_most(PATIENCE).expect_code(0);
    }
}

fn names(claims: &Value) -> Vec<&str> {
    claims.as_array().unwrap().iter().filter_map(|claim| claim["resource_name"].as_str()).collect()
}

#[test]
fn what_is_of_the_machine_is_held_and_told_across_clones() {
    let here = Workspace::small();
    let there = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&here, "ada");
    let (grace, grace_id) = {
        let terminal = Terminal::on(&there).env("HOME", here.home());
        let id = terminal.run(["start", "--name", "grace"]).expect_code(0).stdout.trim().to_owned();
        (terminal.session(&id), id)
    };
    grace.run(["claim", "gpu", "0"]).expect_code(0);
    let refused = ada.run(["claim", "gpu", "0"]).expect_code(1);
    assert!(refused.stderr.contains("grace") && refused.stderr.contains("--scope machine"), "{refused:?}");
    // A name means something of the clone, unless it is said.
    grace.run(["claim", "licence", "editor", "--scope", "machine"]).expect_code(0);
    ada.run(["claim", "licence", "editor"]).expect_code(0);
    ada.run(["claim", "licence", "editor", "--scope", "machine"]).expect_code(1);
    ada.run(["claim", "file", "src/main.rs", "--scope", "machine"]).expect_code(2);

    let status = ada.run(["status", "--json"]).expect_code(0).json();
    assert_eq!((names(&status["claims"]), names(&status["machine"]["claims"])), (vec!["editor"], vec!["0", "editor"]));
    let told = ada.run(["status"]).expect_code(0).stdout;
    assert!(told.contains("This machine") && told.contains("grace"), "{told}");
    let machine = ada.run(["status", "--scope", "machine", "--json"]).expect_code(0).json();
    assert_eq!(names(&machine["claims"]), ["0", "editor"], "{machine}");
    let clone = ada.run(["status", "--scope", "clone"]).expect_code(0).stdout;
    assert!(!clone.contains("This machine"), "{clone}");

    ada.run(["send", "grace", "Please let me have the gpu", "--scope", "machine"]).expect_code(0);
    let messages = grace.run(["messages"]).expect_code(0).stdout;
    assert!(messages.contains("Please let me have the gpu") && messages.contains("ada, who works in"), "{messages}");
    ada.run(["send", "nobody", "Hello", "--scope", "machine"]).expect_code(2);

    ada.run(["release", "gpu", "0"]).expect_code(1);
    grace.run(["release", "gpu", "0"]).expect_code(0);
    ada.run(["claim", "gpu", "0"]).expect_code(0);
    ada.run(["release", "--all"]).expect_code(0);
    grace.run(["claim", "gpu", "0"]).expect_code(0);
    // Whoever ends gives back what is of the machine, too.
    assert_eq!(there.coordination().session(&grace_id).unwrap()["status"], "active");
    grace.run(["end"]).expect_code(0);
    ada.run(["claim", "gpu", "0"]).expect_code(0);
}

#[test]
fn what_is_left_of_the_machine_is_cleaned_up() {
    for ends_a_session in [false, true] {
        let workspace = Workspace::small();
        let (ada, _) = Terminal::with_named_session(&workspace, "ada");
        ada.run(["claim", "gpu", "0"]).expect_code(0);
        let claims = workspace.home().join(".local/state/deconflict/machine/claims");
        let mut old: Value = serde_json::from_slice(&fs::read(claims.join("gpu-0.claim")).unwrap()).unwrap();
        old["resource_name"] = json!("7");
        old["expires_at"] = json!("2020-01-01T00:00:00Z");
        fs::write(claims.join("gpu-7.claim"), old.to_string()).unwrap();
        if ends_a_session {
            ada.run(["end"]).expect_code(0);
        } else {
            ada.run(["run", "--with", "gpu:1", "--", "true"]).expect_code(0);
        }
        assert!(!claims.join("gpu-7.claim").exists(), "session ended: {ends_a_session}");
    }
}

#[test]
fn a_claim_by_hand_takes_any_free_place() {
    let workspace = Workspace::small();
    fs::write(workspace.root().join("deconflict.toml"), "[resources.emulator]\ncount = 2\n").unwrap();
    let (ada, _) = Terminal::with_named_session(&workspace, "ada");
    let (grace, _) = Terminal::with_named_session(&workspace, "grace");
    ada.run(["claim", "resource", "emulator"]).expect_code(0);
    grace.run(["claim", "resource", "emulator"]).expect_code(0);
    assert_eq!(files_in(&workspace, "claims"), ["resource-emulator#2.claim", "resource-emulator.claim"]);
    let (carol, _) = Terminal::with_named_session(&workspace, "carol");
    carol.run(["claim", "resource", "emulator"]).expect_code(1);
    grace.run(["release", "resource", "emulator"]).expect_code(0);
    assert_eq!(files_in(&workspace, "claims"), ["resource-emulator.claim"], "its own, and not the other's");
    carol.run(["claim", "resource", "emulator"]).expect_code(0);
}
