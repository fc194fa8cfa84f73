//! The original's usage patterns and its assembly line for droplets, end to end: by its scripts' names and arguments,
//! and by the verbs, with the same result on disk.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Committer, Coordination, Outcome, Terminal, Workspace};

const DROPLET: &str = "church-guidance-ministry";

/// Somebody who works by one of the two ways.
struct Worker {
    shell: Committer,
    workspace_root: std::path::PathBuf,
    way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Scripts,
    Verbs,
}

impl Worker {
    /// A worker who says with each command which session it is, as two in one clone must.
    fn new(workspace: &Workspace, way: Way) -> Self {
        Self { shell: Committer::person(workspace), workspace_root: workspace.root().to_owned(), way }
    }

    fn session(self, id: &str) -> Self {
        Self { shell: self.shell.session(id), ..self }
    }

    /// Does what `session-{action}.sh` does in the original.
    #[track_caller]
    fn run(&self, action: &str, arguments: &[&str]) -> Outcome {
        match self.way {
            Way::Scripts => {
                let script = self.workspace_root.join(format!("COORDINATION/scripts/session-{action}.sh"));
                self.shell.run(&script, arguments)
            }
            Way::Verbs => {
                let verb = match action {
                    "send-message" => "send",
                    "check-messages" => "messages",
                    other => other,
                };
                self.shell.deconflict(&[&[verb], arguments].concat())
            }
        }
    }

    #[track_caller]
    fn does(&self, action: &str, arguments: &[&str]) -> String {
        self.run(action, arguments).expect_code(0).stdout
    }

    /// Starts a session and returns its id, by whatever way that is told.
    fn starts(&self) -> String {
        let told = self.does("start", &[]);
        match self.way {
            Way::Scripts => told.split_whitespace().find(|word| word.starts_with("session-")).unwrap().to_owned(),
            Way::Verbs => told.trim().to_owned(),
        }
    }
}

/// Everything on disk that the assembly line left, without what is chance or time.
fn result_on_disk(coordination: &Coordination, names: &[(&str, &str)]) -> BTreeMap<String, Vec<Value>> {
    let steady = |mut record: Value| {
        let text = record.to_string();
        let text = names.iter().fold(text, |text, (id, name)| text.replace(id, name));
        record = serde_json::from_str(&text).unwrap();
        let fields = record.as_object_mut().unwrap();
        fields.retain(|name, value| {
            let passes = matches!(
                name.as_str(),
                "id" | "generation" | "pid" | "process_started" | "pid_scope" | "host" | "total_duration"
            );
            let is_time = value.as_str().is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok());
            !passes && !is_time
        });
        record
    };
    let mut result = BTreeMap::new();
    let mut add = |what: String, records: Vec<Value>| {
        let mut records: Vec<Value> = records.into_iter().map(steady).collect();
        if what == "sessions" {
            records.sort_by_key(|record| record["session_id"].as_str().map(str::to_owned));
        }
        result.insert(what, records);
    };
    add("sessions".to_owned(), coordination.sessions());
    add("claims".to_owned(), coordination.claims());
    add("broadcasts".to_owned(), coordination.messages_to("broadcast"));
    for (id, name) in names {
        add(format!("heartbeats of {name}"), coordination.heartbeats(id));
        add(format!("messages to {name}"), coordination.messages_to(id));
    }
    result
}

/// The whole line, as the document prints it: one session takes a droplet from SPECS through BUILD, another goes on
/// with PRODUCTION.
fn run_the_line(way: Way) -> BTreeMap<String, Vec<Value>> {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["init", "--scripts"]).expect_code(0);
    let coordination = workspace.coordination();

    // Pattern 1: start of session.
    let first = Worker::new(&workspace, way);
    let ada = first.starts();
    let first = first.session(&ada);
    assert!(first.does("status", &[]).contains(&ada));
    first.does("check-messages", &[]);
    let second = Worker::new(&workspace, way);
    let bob = second.starts();
    let second = second.session(&bob);

    // Phase 1: SPECS.
    first.does("claim", &["droplet", DROPLET]);
    first.does("heartbeat", &["planning", DROPLET, "SPECS"]);
    assert_eq!(coordination.holder(DROPLET).as_deref(), Some(ada.as_str()));
    let refused = second.run("claim", &["droplet", DROPLET]).expect_code(1);
    assert!(format!("{refused:?}").contains(&ada), "who has it is told: {refused:?}");
    first.does("heartbeat", &["completed", DROPLET, "SPECS complete"]);
    first.does(
        "send-message",
        &["broadcast", &format!("SPECS complete for {DROPLET}"), "Ready for BUILD phase - 4-6 hours estimated"],
    );

    // Phase 2: BUILD, with pattern 2, during work.
    first.does("heartbeat", &["building", DROPLET, "BUILD - landing page"]);
    // A board that is under a second old is left for the next who changes something.
    coordination.age("STATUS_BOARD.md", Duration::from_secs(2));
    first.does("heartbeat", &["building", DROPLET, "BUILD - intake form (50%)"]);
    assert_eq!(coordination.session(&ada).unwrap()["phase"], "BUILD - intake form (50%)");
    let board = coordination.board();
    for part in [&ada, DROPLET, r"BUILD - intake form \(50%\)", "SPECS complete for"] {
        assert!(board.contains(part), "{part} in {board}");
    }

    // Pattern 4: coordination needed.
    assert!(second.does("check-messages", &[]).contains("Ready for BUILD phase"));
    second.does("send-message", &[&ada, "Question about the droplet", "Can I help with deployment?"]);
    second.does("send-message", &["broadcast", "Need help", "Looking for someone to review SPECS"]);
    let read = first.does("check-messages", &[]);
    assert!(read.contains("Can I help with deployment?") && read.contains("review SPECS"), "{read}");

    // Pattern 3: completion.
    first.does("release", &["droplet", DROPLET]);
    first.does("send-message", &["broadcast", "BUILD complete", &format!("{DROPLET} ready for PRODUCTION")]);
    assert_eq!(coordination.claim_files(), Vec::<String>::new());

    // Phase 3: PRODUCTION, by the other.
    assert!(second.does("check-messages", &[]).contains("ready for PRODUCTION"));
    second.does("claim", &["droplet", DROPLET]);
    second.does("heartbeat", &["deploying", DROPLET, "PRODUCTION - testing deployment"]);
    first.run("claim", &["droplet", DROPLET]).expect_code(1);
    first.run("release", &["droplet", DROPLET]).expect_code(1);
    assert_eq!(coordination.holder(DROPLET).as_deref(), Some(bob.as_str()), "nobody releases what another holds");
    let status = second.does("status", &[]);
    assert!(status.contains(DROPLET) && status.contains(&bob), "{status}");
    result_on_disk(&coordination, &[(&ada, "ada"), (&bob, "bob")])
}

#[test]
fn the_scripts_and_the_verbs_leave_the_same_on_disk() {
    let by_scripts = run_the_line(Way::Scripts);
    let by_verbs = run_the_line(Way::Verbs);
    assert_eq!(by_scripts, by_verbs);
    assert_eq!(by_verbs["broadcasts"].len(), 3, "{by_verbs:?}");
    assert_eq!(by_verbs["claims"][0]["claimed_by"], "bob");
    let phases: Vec<&Value> = by_verbs["heartbeats of ada"].iter().map(|heartbeat| &heartbeat["phase"]).collect();
    for phase in ["SPECS", "SPECS complete", "BUILD - landing page", "BUILD - intake form (50%)"] {
        assert!(phases.contains(&&json!(phase)), "{phase} in {phases:?}");
    }
}

/// A session by the scripts alone, which know it from `.current_session`, and one by the verbs meet.
#[test]
fn scripts_and_verbs_meet_in_one_directory() {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["init", "--scripts"]).expect_code(0);
    let coordination = workspace.coordination();
    let by_scripts = Worker::new(&workspace, Way::Scripts);
    let ada = by_scripts.starts();
    assert_eq!(workspace.read("COORDINATION/.current_session").trim(), ada);
    by_scripts.does("claim", &["droplet", DROPLET]);
    by_scripts.does("heartbeat", &["building", DROPLET, "BUILD"]);

    let by_verbs = Worker::new(&workspace, Way::Verbs);
    let bob = by_verbs.starts();
    let by_verbs = by_verbs.session(&bob);
    let refused = by_verbs.run("claim", &["droplet", DROPLET]).expect_code(1);
    assert!(refused.stderr.contains(&ada), "{refused:?}");
    by_verbs.does("send", &[&ada, "Release it?", "I could do PRODUCTION now."]);

    // With two in the clone the file is a guess, so it says who is meant.
    assert_eq!(by_scripts.run("check-messages", &[]).exit_code, 2);
    let by_scripts = by_scripts.session(&ada);
    assert!(by_scripts.does("check-messages", &[]).contains("I could do PRODUCTION now."));
    by_scripts.does("release", &["droplet", DROPLET]);
    by_verbs.does("claim", &["droplet", DROPLET, "--phase", "PRODUCTION"]);
    assert_eq!(coordination.holder(DROPLET), Some(bob));
}

/// Work is done by `release` with what the original's broadcast says, and the session is completed by `end`.
#[test]
fn completion_says_what_the_original_document_says() {
    let workspace = Workspace::small();
    let worker = Worker::new(&workspace, Way::Verbs);
    let id = worker.starts();
    let worker = worker.session(&id);
    worker.does("claim", &["droplet", DROPLET, "--phase", "BUILD", "--for", "4h"]);
    let coordination = workspace.coordination();
    let claim = coordination.claim(DROPLET).unwrap();
    assert_eq!((&claim["phase"], &claim["estimated_duration"]), (&json!("BUILD"), &json!("4 hours")));
    assert_eq!(claim["allow_coordination"], true);
    worker.does(
        "heartbeat",
        &[
            "building",
            &format!("{DROPLET} droplet"),
            "BUILD - implementing landing page",
            "--files=src/main.rs",
            "--progress=30%",
            "--next=implement intake form",
            "--eta=2025-11-15T12:00:00Z",
        ],
    );
    let heartbeat = coordination.heartbeats(&id).pop().unwrap();
    for (field, expected) in [
        ("action", json!("building")),
        ("target", json!(format!("{DROPLET} droplet"))),
        ("phase", json!("BUILD - implementing landing page")),
        ("files_touched", json!(["src/main.rs"])),
        ("progress", json!("30%")),
        ("next_action", json!("implement intake form")),
        ("estimated_completion", json!("2025-11-15T12:00:00Z")),
    ] {
        assert_eq!(heartbeat[field], expected, "{field} of {heartbeat}");
    }
    worker.does(
        "release",
        &["droplet", DROPLET, "--completed=BUILD", "--next-phase=PRODUCTION", "--files=src/main.rs", "--tests-passing"],
    );
    let message = coordination.messages_to("broadcast").pop().unwrap();
    assert_eq!(message["type"], "work_completed");
    assert_eq!(message["subject"], format!("{DROPLET} BUILD phase complete"));
    assert_eq!(
        message["details"],
        json!({
            "resource": DROPLET,
            "phase_completed": "BUILD",
            "next_phase": "PRODUCTION",
            "files_modified": ["src/main.rs"],
            "tests_passing": true,
        })
    );
    worker
        .does("end", &["--completed", &format!("{DROPLET} BUILD phase"), "--notes", "Ready for PRODUCTION deployment"]);
    let session = coordination.session(&id).unwrap();
    assert_eq!(session["status"], "completed");
    assert_eq!(session["work_completed"], json!([format!("{DROPLET} BUILD phase")]));
    assert_eq!(session["handoff_notes"], "Ready for PRODUCTION deployment");
    assert!(session["ended_at"].is_string() && session["total_duration"].is_string(), "{session}");
}

/// The original's own script can read what the line leaves: its status shows sessions and claims with nothing but jq.
#[test]
fn the_originals_status_script_reads_the_result() {
    let workspace = Workspace::small();
    let worker = Worker::new(&workspace, Way::Verbs);
    let id = worker.starts();
    let worker = worker.session(&id);
    worker.does("claim", &["droplet", DROPLET]);
    worker.does("heartbeat", &["building", DROPLET, "BUILD"]);
    // As its document has it, apart from the words around.
    let script = workspace.beside("status.sh");
    let lines = "for session in COORDINATION/sessions/*.json; do\n\
                 \x20 jq -r '\"\\(.session_id): \\(.status) - \\(.current_work // \"idle\")\"' \"$session\"\ndone\n\
                 for claim in COORDINATION/claims/*.claim; do\n\
                 \x20 jq -r '\"\\(.resource_type): \\(.resource_name) (claimed by \\(.claimed_by))\"' \"$claim\"\ndone\n";
    std::fs::write(&script, lines).unwrap();
    if Committer::person(&workspace).run(Path::new("sh"), &["-c", "command -v jq"]).exit_code != 0 {
        eprintln!("SKIPPED: this machine has no jq");
        return;
    }
    let told = worker.shell.run(Path::new("sh"), &[script.to_str().unwrap()]).expect_code(0);
    assert_eq!(told.stdout, format!("{id}: active - {DROPLET}\ndroplet: {DROPLET} (claimed by {id})\n"));
}
