//! A team on several machines over a real etcd: clones of one repository that share what exists once.

#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::etcd::{self, Certificates, EtcdNode};
use crate::support::team::{PATIENCE, Team};
use crate::support::{Editor, Outcome, Terminal, Workspace, wait_within};

fn refused(outcome: Outcome) -> String {
    outcome.expect_code(1).stderr
}

#[test]
fn a_team_is_set_shown_and_unset() {
    let Some(team) = Team::meet() else { return };
    let folder = team.workspace.home().join(".config/deconflict/teams.toml");
    let kept = fs::read_to_string(&folder).unwrap();
    let root = team.workspace.git(&["rev-list", "--max-parents=0", "HEAD"]);
    assert!(kept.contains(root.trim()) && kept.contains(&team.node.address()), "{kept}");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o077, 0, "nobody else reads it");
    let are_there = || {
        let document = team.berta.run(["--json", "team"]).expect_code(0).json();
        (document["sessions"].as_array().unwrap().len() == 2).then_some(document)
    };
    let document = wait_within(PATIENCE, "both to be shown", are_there);
    assert_eq!(document["reachable"], true);
    team.anna.run(["claim", "task", "login"]).expect_code(0);
    let shown = team.berta.run(["team", "status"]).expect_code(0).stdout;
    let root = team.workspace.root().to_str().unwrap();
    assert!(shown.contains("Anna") && shown.contains(root) && shown.contains(&team.node.address()), "{shown}");
    let root = team.workspace.git(&["rev-list", "--max-parents=0", "HEAD"]);
    assert_eq!(document["team"]["repository"], root.trim());

    let healthy = team.anna.run(["doctor"]);
    assert!(healthy.stdout.contains("can be written to"), "{healthy:?}");
    team.berta.run(["team", "unset"]).expect_code(0);
    let shown = team.berta.run(["team"]).expect_code(0).stdout;
    assert!(shown.contains("no team"), "{shown}");
    // What it names is the clone's again.
    team.berta.run(["claim", "task", "login"]).expect_code(0);
    let told = team.berta.run(["claim", "--scope", "team", "task", "login"]).expect_code(3).stderr;
    assert!(told.contains("no team") && told.contains("deconflict team set"), "{told}");
    let by_variable = team.berta.clone().env("DECONFLICT_TEAM", team.node.address());
    assert!(refused(by_variable.run(["claim", "task", "login"])).contains("Anna"));

    for (words, told) in [("http://a/x", "etcd://"), ("etcd://a", "prefix"), ("etcd://a:b/x", "a:b")] {
        let outcome = team.anna.run(["team", "set", words]).expect_code(2);
        assert!(outcome.stderr.contains(told), "{outcome:?}");
    }
    let shallow = team.workspace.beside("shallow");
    let from = format!("file://{}", team.workspace.root().display());
    team.workspace.write("more", "more");
    team.workspace.commit_all("More");
    team.workspace.git(&["clone", "--quiet", "--depth", "1", &from, shallow.to_str().unwrap()]);
    let shallow = Terminal::on(&team.workspace).in_folder(shallow);
    let outcome = shallow.run(["team", "set", &team.node.address()]).expect_code(2);
    assert!(outcome.stderr.contains("shallow") && outcome.stderr.contains("--repository NAME"), "{outcome:?}");
    shallow.run(["team", "set", &team.node.address(), "--repository", "small"]).expect_code(0);
    let outcome =
        shallow.run(["team", "set", "etcd://192.0.2.1/x", "--repository", "small", "--user", "ada"]).expect_code(3);
    assert!(outcome.stderr.contains("everybody can read") || outcome.stderr.contains("password"), "{outcome:?}");
}

#[test]
fn what_one_clone_holds_of_the_team_another_is_refused_and_asks_for() {
    let Some(team) = Team::meet() else { return };
    let (anna, berta) = (&team.anna, &team.berta);
    anna.run(["claim", "deploy", "production", "--phase", "release 7"]).expect_code(0);
    let told = refused(berta.run(["claim", "deploy", "production"]));
    assert!(told.contains("Anna") && told.contains("--scope team"), "{told}");
    // Neither clone's own directory knows of it, and files are no matter of the team's.
    assert_eq!(team.workspace.coordination().claim("production"), None);
    for prompt in [anna, berta] {
        prompt.run(["claim", "src/lib.rs"]).expect_code(0);
    }
    berta.run(["claim", "--scope", "team", "src/main.rs"]).expect_code(2);

    let shown = berta.run(["status"]).expect_code(0).stdout;
    let section = shown.split("The team").nth(1).unwrap();
    assert!(section.contains("production") && section.contains("Anna"), "{shown}");
    let shown = berta.run(["status", "--scope", "team"]).expect_code(0).stdout;
    assert!(shown.contains("production") && shown.contains(team.workspace.root().to_str().unwrap()), "{shown}");
    let shown = berta.run(["--json", "status"]).expect_code(0).json();
    assert_eq!(shown["team"]["claims"][0]["resource_name"], "production");
    let listed = berta.run(["resources"]).expect_code(0).stdout;
    assert!(listed.contains("of the team") && listed.contains("held by \"Anna\""), "{listed}");

    berta.run(["send", "--scope", "team", "Anna", "May I?", "I have a fix."]).expect_code(0);
    let read = anna.run(["messages"]).expect_code(0).stdout;
    assert!(read.contains("Berta") && read.contains("I have a fix."), "{read}");
    let again = anna.run(["messages"]).expect_code(0).stdout;
    assert!(again.contains("No new messages"), "{again}");
    anna.run(["send", "--scope", "team", "broadcast", "In a minute."]).expect_code(0);
    let document = berta.run(["--json", "messages"]).expect_code(0).json();
    let [message] = &document["messages"].as_array().unwrap()[..] else { panic!("{document}") };
    assert_eq!(message["message"], "In a minute.");

    anna.run(["release", "deploy", "production"]).expect_code(0);
    berta.run(["claim", "deploy", "production"]).expect_code(0);
    let forced = anna.run(["claim", "--force", "deploy", "production"]).expect_code(0).stdout;
    assert!(forced.contains("Berta"), "{forced}");
    let read = berta.run(["messages"]).expect_code(0).stdout;
    assert!(read.contains("taken_over") && read.contains("production"), "{read}");
    // Whoever ends gives back what is held of the team.
    anna.run(["end"]).expect_code(0);
    berta.run(["claim", "deploy", "production"]).expect_code(0);
    let released = berta.run(["release", "--all"]).expect_code(0).stdout;
    assert!(released.contains("production"), "{released}");
}

/// What is claimed in one clone is told in the others, to whoever works there in whatever way, and excludes nobody.
#[test]
fn what_is_claimed_in_one_clone_is_told_in_the_others() {
    let Some(mut team) = Team::meet() else { return };
    let (anna, berta) = (team.anna.clone(), team.berta.clone());
    berta.run(["claim", "src/lib.rs"]).expect_code(0);
    let shows = |name: &str| {
        let status = anna.run(["--json", "status"]).expect_code(0).json();
        let claims = status["claims"].as_array().unwrap().clone();
        claims.into_iter().find(|claim| claim["display_name"].as_str().is_some_and(|it| it.starts_with(name)))
    };
    let told = wait_within(PATIENCE, "Anna to see Berta's claim", || shows("src/lib.rs"));
    assert!(told["display_name"].as_str().is_some_and(|name| name.ends_with(":second)")), "{told}");
    assert_eq!(told["branch"], "main", "{told}");
    let claimed = anna.run(["claim", "src/lib.rs"]).expect_code(0).stdout;
    assert!(claimed.contains("Berta") && claimed.contains(":second") && claimed.contains("merge"), "{claimed}");
    anna.run(["release", "src/lib.rs"]).expect_code(0);

    anna.run(["send", "Berta", "May I?", "I have a fix."]).expect_code(0);
    let letter = |prompt: &Terminal| {
        let read = prompt.run(["messages"]).expect_code(0).stdout;
        (!read.contains("No new messages")).then_some(read)
    };
    let read = wait_within(PATIENCE, "Berta to hear of it", || letter(&berta));
    assert!(read.contains("Anna") && read.contains("I have a fix."), "{read}");
    berta.run(["send", "Anna", "In a minute."]).expect_code(0);
    let read = wait_within(PATIENCE, "Anna to hear of it", || letter(&anna));
    assert!(read.contains("Berta") && read.contains("In a minute."), "{read}");
    assert_eq!((letter(&anna), letter(&berta)), (None, None));

    let editor = Editor::start(&team.workspace, "Anna's editor");
    let document = editor.open("src/lib.rs");
    let told = document.wait_for_diagnostic("claimed-elsewhere");
    let text = told["message"].as_str().unwrap();
    assert!(text.contains("the clone") && text.contains(":second") && text.contains("Berta"), "{told}");
    document.type_text("x");
    team.workspace.coordination().wait_for_claim("src/lib.rs");
    document.undo_to_saved();

    // Without the network what is known goes on to be shown, and what changed meanwhile is told once it is back.
    team.node.kill();
    berta.run(["release", "src/lib.rs"]).expect_code(0);
    berta.run(["claim", "src/main.rs"]).expect_code(0);
    assert!(shows("src/lib.rs").is_some() && shows("src/main.rs").is_none());
    team.node.run();
    wait_within(PATIENCE, "Anna to see Berta's next claim", || shows("src/main.rs"));
    document.wait_until_clear();
    berta.run(["end"]).expect_code(0);
    wait_within(PATIENCE, "what Berta held to be free", || shows("src/main.rs").is_none().then_some(()));
}

/// Each as a pair of the prompt and a file that its command writes when it runs.
fn begins(prompt: &Terminal, folder: &Path, name: &str) -> (crate::support::Running, PathBuf) {
    let told = folder.join(format!("{name}.began"));
    let go = folder.join(format!("{name}.go"));
    let script = format!("echo > {}; until [ -e {} ]; do sleep 0.02; done", told.display(), go.display());
    let words = ["run", "--with", "db", "--scope", "team", "--wait", "1m", "--", "sh", "-c", &script];
    (prompt.spawn(words), told)
}

#[test]
fn commands_of_two_clones_take_turns() {
    let Some(team) = Team::meet() else { return };
    let scratch = team.workspace.beside("turns");
    fs::create_dir(&scratch).unwrap();
    let began = |told: &PathBuf| wait_within(PATIENCE, "a command to begin", || told.exists().then_some(()));
    let go = |name: &str| fs::write(scratch.join(format!("{name}.go")), "").unwrap();
    let (first, first_told) = begins(&team.anna, &scratch, "first");
    began(&first_told);
    let (second, second_told) = begins(&team.berta, &scratch, "second");
    let waits = || {
        let status = team.anna.run(["--json", "status"]).expect_code(0).json();
        let waiting = status["team"]["waiting"].as_array().unwrap().clone();
        waiting.first().map(|place| place["label"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(wait_within(PATIENCE, "Berta in line", waits), "Berta");
    assert!(!second_told.exists());
    // Whoever comes later does not pass.
    refused(team.anna.run(["run", "--with", "db", "--scope", "team", "--", "true"]));
    go("first");
    first.wait_for_at_most(PATIENCE).expect_code(0);
    began(&second_told);
    refused(team.anna.run(["run", "--with", "db", "--scope", "team", "--", "true"]));
    go("second");
    second.wait_for_at_most(PATIENCE).expect_code(0);
    let free = team.anna.run(["run", "--with", "db", "--scope", "team", "--", "sh", "-c", "exit 7"]);
    free.expect_code(7);
    let status = team.anna.run(["--json", "status", "--scope", "team"]).expect_code(0).json();
    assert_eq!((&status["claims"], &status["waiting"]), (&serde_json::json!([]), &serde_json::json!([])));
}

#[test]
fn without_the_network_the_clone_goes_on_and_the_team_is_not_guessed_at() {
    let Some(mut team) = Team::meet() else { return };
    team.anna.run(["claim", "task", "login"]).expect_code(0);
    team.node.kill();
    let start = Instant::now();
    let told = team.berta.run(["claim", "task", "login"]).expect_code(3).stderr;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(told.contains(&team.node.address()) && told.contains("deconflict doctor"), "{told}");
    for words in [&["run", "--with", "task:x", "--", "true"][..], &["team"], &["status", "--scope", "team"]] {
        team.berta.run(words.iter().copied()).expect_code(3);
    }
    let shown = team.berta.run(["status"]).expect_code(0).stdout;
    assert!(shown.split_once("The team\n").is_some_and(|(_, team)| team.contains("no answer")), "{shown}");
    let problem = team.berta.run(["doctor"]).expect_code(1).stdout;
    assert!(problem.contains("no answer"), "{problem}");
    team.berta.run(["claim", "src/lib.rs"]).expect_code(0);
    team.berta.run(["messages"]).expect_code(0);
    team.berta.run(["release", "--all"]).expect_code(0);

    team.node.run();
    assert!(refused(team.berta.run(["claim", "task", "login"])).contains("Anna"));
    team.anna.run(["release", "task", "login"]).expect_code(0);
    team.berta.run(["claim", "task", "login"]).expect_code(0);
}

/// Each wrong word is told as what it is, and nothing is guessed at.
#[test]
fn a_user_of_the_cluster_does_what_its_rights_allow() {
    let Some(team) = Team::meet() else { return };
    team.node.let_in_only_ada();
    let told = team.anna.run(["claim", "task", "login"]).expect_code(3).stderr;
    assert!(told.contains("wants a user"), "{told}");
    let password = team.workspace.beside("password");
    let set = |prefix: &str, text: &str| {
        fs::write(&password, text).unwrap();
        let address = team.node.address().replace("/deconflict", prefix);
        let words = ["team", "set", &address, "--user", "ada", "--password-file", password.to_str().unwrap()];
        team.anna.run(words)
    };
    set("/deconflict", "wrong\n").expect_code(0);
    let told = team.anna.run(["claim", "task", "login"]).expect_code(3).stderr;
    assert!(told.contains("password is wrong") && !told.contains("wrong\n"), "{told}");
    assert!(team.anna.run(["doctor"]).expect_code(1).stdout.contains("password is wrong"));
    set("/deconflict", "secret\n").expect_code(0);
    team.anna.run(["claim", "task", "login"]).expect_code(0);
    let shown = team.anna.run(["team"]).expect_code(0).stdout;
    assert!(shown.contains(team.workspace.root().to_str().unwrap()), "{shown}");
    let healthy = team.anna.run(["doctor"]).stdout;
    assert!(healthy.contains("can be written to"), "{healthy}");
    let by_variable = team.anna.clone().env("DECONFLICT_TEAM_PASSWORD", "wrong");
    by_variable.run(["release", "task", "login"]).expect_code(3);
    team.anna.run(["release", "task", "login"]).expect_code(0);
    set("/other", "secret\n").expect_code(0);
    let told = team.anna.run(["claim", "task", "login"]).expect_code(3).stderr;
    assert!(told.contains("may not do that"), "{told}");
    fs::remove_file(&password).unwrap();
    let told = team.anna.run(["claim", "task", "login"]).expect_code(3).stderr;
    assert!(told.contains(password.to_str().unwrap()), "{told}");
}

/// Who cannot be trusted is told as such, and hears nothing but the beginning of TLS.
#[test]
fn what_is_said_over_tls_only_the_right_one_hears() {
    let Some(certificates) = Certificates::make() else { return };
    let Some(mut node) = EtcdNode::with_certificate(certificates, "here") else { return };
    let workspace = Workspace::small();
    let (prompt, _) = Terminal::with_new_session(&workspace);
    let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"].map(|name| node.certificates().path(name));
    let address = node.address();
    let set = |address: &str, more: &[&str]| {
        prompt.run(["team", "set", address].iter().chain(more).copied()).expect_code(0);
    };
    // A busy machine may not answer in time at first.
    let tells = |words: &str| {
        let told = || prompt.run(["claim", "task", "login"]).expect_code(3).stderr.contains(words).then_some(());
        wait_within(PATIENCE, words, told);
    };
    let all = ["--ca", &ca, "--cert", &cert, "--key", &key];
    set(&address, &all);
    let claim = || {
        let outcome = prompt.run(["claim", "task", "login"]);
        assert!(outcome.exit_code == 0 || outcome.stderr.contains("no answer"), "{outcome:?}");
        (outcome.exit_code == 0).then_some(())
    };
    wait_within(PATIENCE, "the first answer over TLS", claim);
    set(&address, &[]);
    tells("name who does with --ca");
    set(&address, &["--ca", &ca]);
    tells("--cert and --key");
    set(&address.replace("etcds", "etcd"), &[]);
    prompt.run(["claim", "task", "login"]).expect_code(3);
    for (shown, words) in [("elsewhere", "another host's"), ("expired", "has expired")] {
        node.show(shown);
        set(&address, &all);
        tells(words);
    }

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let heard = thread::spawn({
        let listener = listener.try_clone().unwrap();
        move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let mut heard = [0; 4096];
            let length = stream.read(&mut heard).unwrap();
            heard[..length].to_vec()
        }
    });
    let secret = prompt.clone().env("DECONFLICT_TEAM_PASSWORD", "secret-of-ada");
    let to = format!("etcds://{}/x", listener.local_addr().unwrap());
    secret.run(["team", "set", &to, "--user", "ada"]).expect_code(0);
    let heard = heard.join().unwrap();
    assert_eq!(heard[0], 22, "the beginning of TLS");
    assert!(!heard.windows(6).any(|bytes| bytes == b"secret"), "{heard:?}");
}

/// A shell that seems to be on another machine; `None` where this one makes no such namespaces.
fn elsewhere(workspace: &Workspace, host: &str) -> Option<PathBuf> {
    let inside = "unshare --user --map-root-user --uts --pid --fork --mount-proc";
    let script = format!(
        "#!/bin/sh\nexec {inside} sh -c 'hostname {host}; exec \"$0\" \"$@\"' {} \"$@\"\n",
        env!("CARGO_BIN_EXE_deconflict")
    );
    let path = workspace.beside(host);
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let works = Command::new("sh").arg("-c").arg(format!("{inside} hostname {host}")).output().unwrap();
    if !works.status.success() {
        eprintln!("SKIPPED: this machine makes no namespaces with host names of their own");
        return None;
    }
    Some(path)
}

/// The process of somebody on another machine cannot be seen, and is not taken for one of this machine that is gone.
#[test]
fn a_session_of_another_machine_is_told_with_its_host() {
    let Some(team) = Team::meet() else { return };
    let Some(program) = elsewhere(&team.workspace, "berlin") else { return };
    let berta = team.berta.clone().program(&program);
    berta.run(["claim", "task", "login"]).expect_code(0);
    assert!(refused(team.anna.run(["claim", "task", "login"])).contains("Berta"));
    let shown = team.anna.run(["team"]).expect_code(0).stdout;
    assert!(shown.contains("berlin") && shown.contains(team.second.to_str().unwrap()), "{shown}");
    let go = team.workspace.beside("go");
    let script = format!("until [ -e {} ]; do sleep 0.02; done", go.display());
    let running = berta.spawn(["run", "--with", "db", "--scope", "team", "--wait", "1m", "--", "sh", "-c", &script]);
    let is_held = || {
        let outcome = team.anna.run(["run", "--with", "db", "--scope", "team", "--", "true"]);
        (outcome.exit_code == 1).then_some(())
    };
    wait_within(PATIENCE, "the command elsewhere to hold it", is_held);
    fs::write(go, "").unwrap();
    running.wait_for_at_most(PATIENCE).expect_code(0);
    team.anna.run(["run", "--with", "db", "--scope", "team", "--", "true"]).expect_code(0);
}

/// What every verb does where no team is named: it neither opens a socket nor looks for settings of teams where files are
/// claimed.
#[cfg(target_os = "linux")]
#[test]
fn without_a_team_nothing_is_contacted() {
    if Command::new("strace").arg("--version").output().is_err() {
        eprintln!("SKIPPED: this machine has no strace");
        return;
    }
    let workspace = Workspace::small();
    let (prompt, _) = Terminal::with_new_session(&workspace);
    let trace = workspace.beside("trace");
    let traced = prompt.program(Path::new("strace"));
    let strace = ["-f", "-qq", "-o", trace.to_str().unwrap(), "-e", "trace=network,openat,open", "--"];
    let calls = |words: &[&str]| {
        let all = strace.iter().chain(&[env!("CARGO_BIN_EXE_deconflict")]).chain(words).copied();
        traced.run(all).expect_code(0);
        fs::read_to_string(&trace).unwrap()
    };
    for words in [
        &["claim", "src/lib.rs"][..],
        &["check", "src/lib.rs"],
        &["status"],
        &["status", "--oneline"],
        &["messages"],
        &["release", "src/lib.rs"],
        &["claim", "task", "login"],
        &["release", "--all"],
        &["run", "--with", "db", "--", "true"],
        &["end"],
    ] {
        let calls = calls(words);
        assert!(!calls.contains("AF_INET"), "{words:?}\n{calls}");
        let is_about_files = words.contains(&"src/lib.rs");
        assert!(!(is_about_files && calls.contains("teams.toml")), "{words:?}\n{calls}");
    }
}

/// What the Compose file runs is an etcd over which a team can be tried as its first lines say.
#[test]
fn the_compose_file_runs_what_a_team_can_be_tried_with() {
    let Some(program) = etcd::program("stable") else { return };
    let text = include_str!("../../server/team/compose.yaml");
    let words = text.lines().map(str::trim).skip_while(|line| *line != "command:").skip(1);
    let words: Vec<&str> = words.map_while(|line| line.strip_prefix("- ")).collect();
    assert_eq!(words[0], "etcd");
    assert!(text.contains("- 127.0.0.1:2379:2379"), "nobody else reaches it");
    let workspace = Workspace::small();
    let data = workspace.beside("data");
    let [port, peers] = etcd::free_ports();
    let here = |word: &&str| {
        word.replace("=/data", &format!("={}", data.display()))
            .replace("0.0.0.0", "127.0.0.1")
            .replace("2379", &port.to_string())
    };
    let peers = format!("http://127.0.0.1:{peers}");
    let mut process = Command::new(program)
        .args(words[1..].iter().map(here))
        // In a container of its own nothing has the usual port.
        .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", &format!("default={peers}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (prompt, _) = Terminal::with_new_session(&workspace);
    let set = text.lines().find_map(|line| line.strip_prefix("#   deconflict ")).unwrap();
    let set = set.replace("2379", &port.to_string());
    prompt.run(set.split(' ')).expect_code(0);
    let claimed = || (prompt.run(["claim", "deploy", "production"]).exit_code == 0).then_some(());
    wait_within(PATIENCE, "a claim of the team's", claimed);
    process.kill().unwrap();
    process.wait().unwrap();
}
