//! What is different on Windows alone: drive letters, backslashes, line ends, long paths. The other tests run there too.

#![cfg(windows)]

use serde_json::json;

use crate::support::{CodingAgent, Editor, Terminal, Workspace, file_uri};

const FILE: &str = "src/main.rs";

#[test]
fn one_file_is_one_resource_however_its_path_is_written() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let (ada, id) = Terminal::with_named_session(&workspace, "Ada");
    let (grace, _) = Terminal::with_named_session(&workspace, "Grace");
    let absolute = absolute_path(&workspace, FILE);
    let (drive, below) = absolute.split_once(':').unwrap();
    let ways = [
        "src\\main.rs".to_owned(),
        ".\\src\\..\\src\\main.rs".to_owned(),
        absolute.clone(),
        absolute.replace('\\', "/"),
        format!("{}:{below}", drive.to_lowercase()),
        format!("\\\\?\\{absolute}"),
        absolute.to_uppercase(),
    ];
    for way in &ways {
        ada.run(["claim", "file", way]).expect_code(0);
        assert_eq!(coordination.claim_files().len(), 1, "{way}: {:?}", coordination.claims());
        assert_eq!(coordination.wait_for_holder(FILE, &id)["resource_name"], FILE, "{way}");
        for way in &ways {
            let refused = grace.run(["claim", "file", way]).expect_code(1);
            assert!(refused.stderr.contains("Ada") || refused.stdout.contains("Ada"), "{refused:?}");
        }
        ada.run(["release", "file", way]).expect_code(0);
        assert_eq!(coordination.claim_files(), [""; 0], "{way}");
    }
}

#[test]
fn editors_that_write_the_drive_in_their_own_way_meet_in_one_file() {
    let workspace = Workspace::small();
    let (ada, grace) = (Editor::start(&workspace, "Ada"), Editor::start(&workspace, "Grace"));
    let uri = file_uri(&workspace.path(FILE));
    let (before, drive, after) = parts(&uri);
    // VS Code writes the colon in its own way, and the letter small.
    let of_code = format!("{before}{}%3A{after}", drive.to_lowercase());
    let hers = ada.open_as(&of_code, &workspace.path(FILE));
    let his = grace.open_as(&format!("{before}{}:{after}", drive.to_uppercase()), &workspace.path(FILE));
    hers.type_text("// hers\n");
    workspace.coordination().wait_for_holder(FILE, &ada.wait_for_session());
    let told = his.wait_for_diagnostic("claimed");
    assert!(told["message"].as_str().unwrap().contains("Ada"), "{told}");
    // It is free again when the one who held it is killed.
    ada.kill_server();
    his.wait_until_clear();
    his.type_text("// his\n");
    workspace.coordination().wait_for_holder(FILE, &grace.wait_for_session());
}

#[test]
fn an_agents_hook_reads_lines_that_end_as_windows_ends_them() {
    let workspace = Workspace::small();
    let (ada, _) = Terminal::with_named_session(&workspace, "Ada");
    ada.run(["claim", "src\\main.rs"]).expect_code(0);
    let agent = CodingAgent::on(&workspace, "one");
    agent.start();
    let edit = |file: &str| {
        let input = json!({"file_path": absolute_path(&workspace, file), "old_string": "a"});
        let event = agent.event("PreToolUse", json!({"tool_name": "Edit", "tool_input": input}));
        let text = serde_json::to_string_pretty(&event).unwrap().replace('\n', "\r\n") + "\r\n";
        let terminal = Terminal::on(&workspace);
        terminal.run_with_input(["hook", "claude-code"], &text).expect_code(0).stdout
    };
    assert!(edit("src\\main.rs").contains("\"deny\""));
    assert!(!edit("src\\lib.rs").contains("\"deny\""));
    workspace.coordination().wait_for_holder("src/lib.rs", &agent.id());
}

#[test]
fn the_guards_lines_end_as_a_shell_takes_them_beside_a_hook_that_does_not() {
    let workspace = Workspace::small();
    Terminal::on(&workspace).run(["init"]).expect_code(0);
    let theirs = "#!/bin/sh\r\necho theirs\r\n";
    workspace.write(".git/hooks/pre-commit", theirs);
    for _ in 0..2 {
        Terminal::on(&workspace).run(["guard", "--install"]).expect_code(0);
        let hook = workspace.read(".git/hooks/pre-commit");
        assert!(hook.contains("deconflict") && !hook.contains('\r') && !hook.contains('\\'), "{hook:?}");
    }
    Terminal::on(&workspace).run(["guard", "--uninstall"]).expect_code(0);
    assert_eq!(workspace.read(".git/hooks/pre-commit"), theirs);
}

#[test]
fn a_path_longer_than_windows_once_took_is_a_path_like_any_other() {
    let workspace = Workspace::small();
    // Longer than the 260 characters of old, and no longer than Wine can tell where it leads.
    let left = 262 - workspace.root().as_os_str().len() - "//notes.txt".len();
    let folders = "rather-long-names/".repeat(15);
    let file = format!("{}/notes.txt", folders[..left].trim_end_matches('/'));
    assert!(workspace.path(&file).as_os_str().len() > 260);
    workspace.write(&file, "one\r\ntwo\r\n");
    let editor = Editor::start(&workspace, "Ada");
    let document = editor.open(&file);
    document.type_text("zero\r\n");
    let coordination = workspace.coordination();
    coordination.wait_for_holder(&file, &editor.wait_for_session());
    let (grace, _) = Terminal::with_named_session(&workspace, "Grace");
    grace.run(["claim", "file", &file.replace('/', "\\")]).expect_code(1);
    document.save();
    assert_eq!(workspace.read(&file), "zero\r\none\r\ntwo\r\n");
    drop(document);
    editor.quit();
    coordination.wait_for_no_claim(&file);
    grace.run(["claim", "file", &file]).expect_code(0);
}

/// With a drive letter, and backslashes throughout.
fn absolute_path(workspace: &Workspace, file: &str) -> String {
    workspace.path(file).to_str().unwrap().replace('/', "\\")
}

/// What stands before a URI's drive letter, the letter, and what stands after its colon.
fn parts(uri: &str) -> (&str, &str, &str) {
    let after = uri.strip_prefix("file:///").unwrap();
    let rest = after[1..].trim_start_matches(':').trim_start_matches("%3A");
    ("file:///", &after[..1], rest)
}
