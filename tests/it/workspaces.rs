//! Folders, worktrees, links and names: one file is one resource, however it is reached.

use std::fs;

use serde_json::json;

use crate::support::{Coordination, Editor, NON_ASCII, SPACED, Terminal, Workspace, file_uri};

#[test]
fn awkward_names_are_claimed_as_they_are_spelled() {
    let workspace = Workspace::realistic();
    let coordination = workspace.coordination();
    workspace.write(".hidden", "dots at the start\n");
    let cases = [
        (SPACED, "file-docs%2Fmeeting notes%2Fweek 12.md.claim"),
        (NON_ASCII, "file-docs%2Fübersicht%2Fgröße – 寸法.md.claim"),
        ("docs/100% done.md", "file-docs%2F100%25 done.md.claim"),
        ("README.md", "file-README.md.claim"),
        (".hidden", "file-%2Ehidden.claim"),
    ];
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    for (path, claim_file) in cases {
        let his = bob.open(path);
        let hers = alice.open(path);
        hers.type_text("x");
        let claim = coordination.wait_for_claim(path);
        assert!(coordination.claim_files().contains(&claim_file.to_owned()), "{:?}", coordination.claim_files());
        assert_eq!(claim["resource_name"], path);
        let told = his.wait_for_diagnostic("claimed");
        let place = &told["relatedInformation"][0]["location"]["uri"];
        assert_eq!(*place, json!(file_uri(&coordination.claim_path("file", path))), "{told}");
        hers.undo_to_saved();
        his.wait_until_clear();
    }
}

/// However a client encodes a URI, it gets it back exactly so; the harness fails on any other.
#[test]
fn a_uri_goes_back_as_it_came() {
    let workspace = Workspace::realistic();
    workspace.coordination().write_session("ghost", json!({}));
    workspace.coordination().write_claim("ghost", "file", SPACED, json!({}));
    let alice = Editor::start(&workspace, "alice");
    let path = workspace.path(SPACED);
    let exact = file_uri(&path);
    for uri in [
        exact.clone(),
        exact.replace("%20", " ").replace("week", "wee%6B"),
        exact.replace("/docs/", "/%64ocs/"),
        exact.replace("/docs/", "/./docs/../docs/"),
    ] {
        let document = alice.open_as(&uri, &path);
        document.wait_for_diagnostic("claimed");
        document.close();
    }
}

#[cfg(unix)]
#[test]
fn a_link_and_its_target_are_one_file() {
    use crate::support::{LINK, LINKED_FILE};

    let workspace = Workspace::realistic();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    let ways = [(LINK, LINKED_FILE), ("api-sources/order/model.rs", "services/api/src/order/model.rs")];
    for (link, target) in ways {
        let his = bob.open(target);
        let hers = alice.open(link);
        hers.type_text("x");
        coordination.wait_for_claim(target);
        his.wait_for_diagnostic("claimed");
        his.type_text("y");
        hers.wait_for_diagnostic("contended");
        his.undo_to_saved();
        hers.undo_to_saved();
        coordination.wait_for_no_claim(target);
        his.wait_until_clear();
    }
    let dangling = alice.open("docs/dangling.md");
    let refused = alice.execute("deconflict.claim", json!({ "uri": dangling.uri }));
    assert_eq!(refused["ok"], false, "{refused}");
}

/// Two names of one file in one window are one claim: closing one name doesn't release what the other still edits.
#[cfg(unix)]
#[test]
fn a_file_that_is_open_under_two_names_is_held_until_both_let_go() {
    use crate::support::{LINK, LINKED_FILE};

    let workspace = Workspace::realistic();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let by_link = alice.open(LINK);
    let by_name = alice.open(LINKED_FILE);
    by_link.type_text("x");
    by_name.type_text("x");
    let claim = coordination.wait_for_claim(LINKED_FILE);
    by_link.undo_to_saved();
    alice.settle(&workspace);
    assert_eq!(coordination.claim(LINKED_FILE).map(|now| now["id"].clone()), Some(claim["id"].clone()));
    by_name.undo_to_saved();
    coordination.wait_for_no_claim(LINKED_FILE);
}

#[test]
fn each_folder_of_a_window_has_its_own_directory_and_session() {
    let workspace = Workspace::plain();
    for name in ["first", "second"] {
        workspace.write(format!("{name}/notes.md"), "# Notes\n");
        workspace.git_in(&workspace.path(name), &["init", "--quiet"]);
    }
    let directories: Vec<Coordination> =
        ["first", "second"].iter().map(|name| Coordination::at(&workspace.path(name).join("COORDINATION"))).collect();
    let alice = Editor::builder(&workspace).folders(&["first", "second"]).start();
    alice.open("first/notes.md").type_text("x");
    directories[0].wait_for_claim("notes.md");
    assert!(!directories[1].exists(), "nothing was done in the second folder");
    alice.open("second/notes.md").type_text("x");
    directories[1].wait_for_claim("notes.md");
    for directory in &directories {
        assert_eq!(directory.sessions().len(), 1, "{directory:?}");
        assert!(!workspace.coordination().exists());
    }
    alice.change_folders(&[], &["second"]);
    directories[1].wait_for_no_claim("notes.md");
    directories[1].wait_for("the session there to be completed", |here| {
        (here.sessions()[0]["status"] == "completed").then_some(())
    });
    assert!(directories[0].claim("notes.md").is_some());

    workspace.write("third/notes.md", "# Notes\n");
    workspace.git_in(&workspace.path("third"), &["init", "--quiet"]);
    alice.change_folders(&["third"], &[]);
    alice.open("third/notes.md").type_text("x");
    Coordination::at(&workspace.path("third").join("COORDINATION")).wait_for_claim("notes.md");
}

#[test]
fn a_document_belongs_to_its_innermost_folder() {
    let workspace = Workspace::plain();
    workspace.git(&["init", "--quiet"]);
    workspace.write("notes.md", "outer\n");
    workspace.write("inner/notes.md", "inner\n");
    workspace.git_in(&workspace.path("inner"), &["init", "--quiet"]);
    let alice = Editor::builder(&workspace).folders(&[".", "inner"]).start();
    alice.open("inner/notes.md").type_text("x");
    let inner = Coordination::at(&workspace.path("inner/COORDINATION"));
    inner.wait_for_claim("notes.md");
    alice.open("notes.md").type_text("x");
    workspace.coordination().wait_for_claim("notes.md");
    assert_eq!(workspace.coordination().claim_files().len(), 1);
}

#[test]
fn two_folders_of_one_repository_share_one_session() {
    let workspace = Workspace::realistic();
    let coordination = workspace.coordination();
    let alice = Editor::builder(&workspace).folders(&["services/api", "services/domain"]).start();
    alice.open("services/api/src/lib.rs").type_text("x");
    alice.open("services/domain/src/lib.rs").type_text("x");
    coordination.wait_for_claim("services/api/src/lib.rs");
    coordination.wait_for_claim("services/domain/src/lib.rs");
    assert_eq!(coordination.sessions().len(), 1, "{coordination:?}");
}

#[test]
fn linked_worktrees_share_the_directory_and_are_told_of_each_other() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let feature = workspace.add_worktree("feature-x");
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::builder(&workspace).folders(&[&feature]).setting("sessionName", json!("bob")).start();
    let hers = alice.open("src/main.rs");
    hers.type_text("x");
    coordination.wait_for_claim("src/main.rs");

    let his = bob.open(feature.join("src/main.rs"));
    let told = his.wait_for_diagnostic("claimed-elsewhere");
    assert_eq!(told["severity"], 3, "{told}");
    his.type_text("y");
    let claim = coordination.wait_for_claim("//feature-x/src/main.rs");
    assert_eq!(claim["branch"], "feature-x", "{claim}");
    hers.wait_for_diagnostic("claimed-elsewhere");
    assert!(!his.codes().contains(&"claimed".to_owned()));
    assert!(!feature.join("COORDINATION").exists());

    coordination.wait_for("the board to tell of both worktrees", |here| {
        let board = here.board();
        board.split("Coordination Needed").nth(1)?.contains("feature-x").then_some(())
    });
    his.undo_to_saved();
    hers.wait_until_clear();
}

#[test]
fn a_submodule_belongs_to_its_superproject() {
    let workspace = Workspace::small();
    let library = Workspace::small();
    let source = library.root().to_str().unwrap();
    workspace.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", source, "vendor/library"]);
    workspace.commit_all("Add the library");
    let alice = Editor::builder(&workspace).folders(&["vendor/library"]).start();
    alice.open("vendor/library/src/main.rs").type_text("x");
    workspace.coordination().wait_for_claim("vendor/library/src/main.rs");
    assert!(!workspace.path("vendor/library/COORDINATION").exists());
}

#[test]
fn worktrees_of_a_bare_repository_share_the_folder_that_holds_it() {
    let workspace = Workspace::small();
    let folder = workspace.beside("shop");
    let bare = folder.join("shop.git");
    workspace.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let worktree = folder.join("feature");
    workspace.git_in(&bare, &["worktree", "add", "--quiet", "-b", "feature", worktree.to_str().unwrap()]);
    let alice = Editor::builder(&workspace).folders(&[&worktree]).start();
    alice.open(worktree.join("src/main.rs")).type_text("x");
    let coordination = Coordination::at(&folder.join("COORDINATION"));
    coordination.wait_for_claim("//feature/src/main.rs");
    assert!(!worktree.join("COORDINATION").exists());
}

#[test]
fn a_claim_moves_with_its_file() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let bob = Editor::start(&workspace, "bob");
    alice.open("src/parser.rs").type_text("x").save();
    let session = coordination.wait_for_claim("src/parser.rs")["claimed_by"].as_str().unwrap().to_owned();
    alice.rename("src/parser.rs", "src/syntax/reader.rs");
    coordination.wait_for_holder("src/syntax/reader.rs", &session);
    coordination.wait_for_no_claim("src/parser.rs");
    bob.open("src/syntax/reader.rs").wait_for_diagnostic("claimed");
}

#[test]
fn claims_move_with_their_folder() {
    let workspace = Workspace::realistic();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    alice.open("services/api/src/order/model.rs").type_text("x");
    alice.open("services/api/src/order/mod.rs").type_text("x").save();
    let session = coordination.wait_for_claim("services/api/src/order/model.rs")["claimed_by"].clone();
    coordination.wait_for_claim("services/api/src/order/mod.rs");
    alice.rename("services/api/src/order", "services/api/src/purchase");
    for file in ["model.rs", "mod.rs"] {
        coordination.wait_for_holder(&format!("services/api/src/purchase/{file}"), session.as_str().unwrap());
        coordination.wait_for_no_claim(&format!("services/api/src/order/{file}"));
    }
}

#[test]
fn a_claim_that_moves_onto_what_another_holds_is_released() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/taken.rs", json!({}));
    let alice = Editor::start(&workspace, "alice");
    alice.open("src/parser.rs").type_text("x").save();
    coordination.wait_for_claim("src/parser.rs");
    alice.rename("src/parser.rs", "src/taken.rs");
    coordination.wait_for_no_claim("src/parser.rs");
    alice.settle(&workspace);
    assert_eq!(coordination.holder("src/taken.rs").as_deref(), Some("ghost"));
    alice.document("src/taken.rs").wait_for_diagnostic("claimed");
}

/// Some editors don't tell of a rename: they close one name and open the other.
#[test]
fn a_rename_that_nobody_told_of_is_recognized_by_the_text() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/parser.rs");
    hers.type_text("// a text that only this file has\n").save();
    let session = coordination.wait_for_claim("src/parser.rs")["claimed_by"].as_str().unwrap().to_owned();
    hers.close();
    fs::rename(workspace.path("src/parser.rs"), workspace.path("src/reader.rs")).unwrap();
    alice.open("src/reader.rs");
    coordination.wait_for_holder("src/reader.rs", &session);
    coordination.wait_for_no_claim("src/parser.rs");
}

#[test]
fn a_claim_on_a_folder_covers_the_documents_below_it() {
    let workspace = Workspace::realistic();
    let coordination = workspace.coordination();
    let (terminal, _) = Terminal::with_named_session(&workspace, "Carol");
    let alice = Editor::start(&workspace, "alice");
    let inside = alice.open("services/api/src/order/model.rs");
    let beside = alice.open("services/domain/src/lib.rs");
    terminal.run(["claim", "directory", "services/api"]).expect_code(0);
    let told = inside.wait_for_diagnostic("claimed");
    assert!(told["message"].as_str().unwrap().contains("Carol"), "{told}");
    inside.type_text("x");
    beside.type_text("x");
    coordination.wait_for_claim("services/domain/src/lib.rs");
    alice.settle(&workspace);
    assert_eq!(coordination.claim("services/api/src/order/model.rs"), None);
    assert_eq!(beside.codes(), Vec::<String>::new());
    terminal.run(["claim", "directory", "services"]).expect_code(1);
    terminal.run(["release", "directory", "services/api"]).expect_code(0);
    coordination.wait_for_claim("services/api/src/order/model.rs");
    inside.wait_until_clear();
}

#[test]
fn a_directory_that_appears_later_is_joined() {
    let workspace = Workspace::plain();
    let coordination = workspace.coordination();
    workspace.write("notes.md", "no repository here\n");
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("notes.md");
    hers.type_text("x");
    alice.status();
    assert!(!coordination.exists(), "outside a repository it is dormant");
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let session = alice.wait_for_session();
    coordination.wait_for_holder("notes.md", &session);
    terminal.run(["claim", "file", "notes.md"]).expect_code(1);
}

#[test]
fn a_directory_that_another_program_makes_is_joined() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/main.rs");
    alice.status();
    assert!(!coordination.exists());
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/main.rs", json!({}));
    hers.wait_for_diagnostic("claimed");
    alice.wait_for_session();
    coordination.remove_claim("file", "src/main.rs");
    hers.wait_until_clear();
}

#[test]
fn a_deleted_directory_is_made_again_for_what_is_unsaved() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let unsaved = alice.open("src/main.rs");
    unsaved.type_text("x");
    alice.open("src/lib.rs").type_text("x").save();
    coordination.wait_for_claim("src/main.rs");
    coordination.wait_for_claim("src/lib.rs");
    // By then the server knows that it was saved.
    alice.settle(&workspace);
    coordination.delete();
    coordination.wait_for_claim("src/main.rs");
    coordination.wait_for("the session to be registered again", |here| here.session(&alice.session_id()));
    assert_eq!(coordination.claim("src/lib.rs"), None, "it was saved");
    unsaved.undo_to_saved();
    coordination.wait_for_no_claim("src/main.rs");
}

#[test]
fn a_claim_file_that_a_script_deletes_is_claimed_again_while_unsaved() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/main.rs");
    hers.type_text("x");
    let first = coordination.wait_for_claim("src/main.rs");
    coordination.remove_claim("file", "src/main.rs");
    let second = coordination.wait_for_claim("src/main.rs");
    assert_eq!(second["claimed_by"], first["claimed_by"]);

    // Where the script claims it for itself, the text is no longer protected, and the person must know.
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/main.rs", json!({}));
    let lost = hers.wait_for_diagnostic("claim-lost");
    assert!(lost["message"].as_str().unwrap().contains("ghost"), "{lost}");
    // So must whoever wrote over it.
    let told = coordination.wait_for("a word to the script", |here| here.messages_to("ghost").into_iter().next());
    assert_eq!((&told["from"], &told["resource"]), (&first["claimed_by"], &json!("file/src/main.rs")), "{told}");
}

#[test]
fn a_directory_that_git_tracks_is_not_joined_until_it_is_adopted() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    coordination.write_session("ghost", json!({}));
    coordination.write_claim("ghost", "file", "src/lib.rs", json!({}));
    workspace.git(&["add", "--force", "COORDINATION"]);
    workspace.git(&["commit", "--quiet", "--message", "Track it"]);
    let alice = Editor::start(&workspace, "alice");
    let hers = alice.open("src/main.rs");
    hers.type_text("x");
    let told = alice.wait_for_message("adopt");
    assert!(told["message"].as_str().unwrap().contains("deconflict init --adopt"), "{told}");
    alice.execute_refused("deconflict.claim", json!({ "uri": hers.uri }), "inactive");
    assert_eq!(coordination.sessions().len(), 1);
    assert_eq!(alice.messages().len(), 1, "{:?}", alice.messages());

    Terminal::on(&workspace).run(["init", "--adopt"]).expect_code(0);
    // The editor that asked for it takes part from now on, and so does every other.
    hers.save();
    hers.type_text("y");
    coordination.wait_for_claim("src/main.rs");
    let theirs = alice.open("src/lib.rs");
    theirs.wait_for_diagnostic("claimed");
    assert_eq!(alice.messages().len(), 1, "{:?}", alice.messages());
    let adopter = Editor::start(&workspace, "bob");
    adopter.open("src/parser.rs").type_text("x");
    coordination.wait_for_claim("src/parser.rs");
}

#[test]
fn making_the_directory_keeps_it_out_of_git() {
    let workspace = Workspace::small();
    let alice = Editor::start(&workspace, "alice");
    alice.open("src/main.rs").type_text("x");
    workspace.coordination().wait_for_claim("src/main.rs");
    assert_eq!(workspace.git(&["status", "--short"]), "");
    assert!(workspace.read(".git/info/exclude").contains("COORDINATION/"));
}

/// A document that no folder of the window is for, or that a link leads to, finds its own repository.
#[cfg(unix)]
#[test]
fn a_document_outside_of_all_folders_finds_its_own_repository() {
    let (workspace, elsewhere) = (Workspace::small(), Workspace::plain());
    let coordination = workspace.coordination();
    coordination.create();
    let link = elsewhere.beside("link");
    std::os::unix::fs::symlink(workspace.root(), &link).unwrap();
    let file_link = elsewhere.beside("linked.md");
    std::os::unix::fs::symlink(workspace.path("README.md"), &file_link).unwrap();
    let none: [&std::path::Path; 0] = [];
    for (folders, path, name) in [
        (&none[..], workspace.path("src/main.rs"), "src/main.rs"),
        (&[elsewhere.root()][..], workspace.path("src/main.rs"), "src/main.rs"),
        (&[workspace.root().parent().unwrap()][..], workspace.path("src/main.rs"), "src/main.rs"),
        (&none[..], link.join("src/main.rs"), "src/main.rs"),
        (&none[..], file_link.clone(), "README.md"),
        (&[link.as_path()][..], workspace.path("src/main.rs"), "src/main.rs"),
        (&[workspace.root()][..], link.join("src/main.rs"), "src/main.rs"),
    ] {
        let editor = Editor::builder(&workspace).folders(folders).start();
        editor.open(&path).type_text("x");
        coordination.wait_for_claim(name);
        editor.quit();
        coordination.wait_for_no_claim(name);
    }
    // What is in no repository is nothing to it, and nobody is told so.
    let editor = Editor::builder(&workspace).folders(&none).start();
    elsewhere.write("notes.txt", "mine\n");
    editor.open(elsewhere.path("notes.txt")).type_text("x");
    editor.status();
    assert_eq!(editor.messages(), Vec::<String>::new());
    editor.quit();
}
