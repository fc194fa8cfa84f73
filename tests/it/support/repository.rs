//! A repository like a real project's, generated: several languages, deep folders, awkward names, some history.

use super::workspace::Workspace;

/// The parts of the project; each has a module in each of [`SERVICES`].
const PARTS: &[&str] = &["account", "billing", "catalogue", "delivery", "inventory", "order", "search", "shipping"];
/// The layers of the back end.
const SERVICES: &[&str] = &["api", "domain", "storage", "worker"];

/// A file with a space in its name.
pub(crate) const SPACED: &str = "docs/meeting notes/week 12.md";
/// A file with a name beyond ASCII.
pub(crate) const NON_ASCII: &str = "docs/übersicht/größe – 寸法.md";
/// A symlink to [`LINKED_FILE`].
#[cfg(unix)]
pub(crate) const LINK: &str = "docs/current.md";
/// What [`LINK`] points to.
pub(crate) const LINKED_FILE: &str = "docs/guide/chapter-03.md";

/// Fills an empty workspace, and commits in several steps.
pub(crate) fn fill(workspace: &Workspace) {
    workspace.git(&["init", "--quiet"]);
    workspace.write(".gitignore", "/target\n/web/dist/\n*.log\n.env\n");
    workspace.write("README.md", "# Shop\n\nA shop in several services.\n");
    workspace.write("Cargo.toml", "[workspace]\nmembers = [\"services/*\"]\nresolver = \"3\"\n");
    workspace.write("Cargo.lock", "version = 4\n");
    write_services(workspace);
    workspace.commit_all("Add the services");

    write_web(workspace);
    workspace.commit_all("Add the web front end");

    write_documents(workspace);
    write_links(workspace);
    workspace.commit_all("Write the documents down");

    workspace.write("target/debug/shop", [0x7f, b'E', b'L', b'F']);
    workspace.write("web/dist/bundle.js", "(()=>{})();\n");
    workspace.write("shop.log", "started\n");
    workspace.write(".env", "TOKEN=none\n");
}

fn write_services(workspace: &Workspace) {
    for service in SERVICES {
        let folder = format!("services/{service}");
        workspace.write(
            format!("{folder}/Cargo.toml"),
            format!("[package]\nname = \"{service}\"\nversion = \"0.3.1\"\nedition = \"2024\"\n"),
        );
        let modules = format!(
            "pub mod {};
",
            PARTS.join(
                ";
pub mod "
            )
        );
        workspace.write(format!("{folder}/src/lib.rs"), modules);
        for part in PARTS {
            workspace.write(
                format!("{folder}/src/{part}/mod.rs"),
                format!("//! The {part} of the {service}.\n\nmod model;\n\npub use model::*;\n"),
            );
            let fields = "    pub amount: u64,
"
            .repeat(20);
            workspace.write(
                format!("{folder}/src/{part}/model.rs"),
                format!("/// One {part}.\n#[derive(Debug)]\npub struct Model {{\n{fields}}}\n"),
            );
            workspace.write(
                format!("{folder}/tests/{part}.rs"),
                format!(
                    "#[test]\nfn {part}_is_empty_at_first() {{\n    assert!({service}::{part}::all().is_empty());\n}}\n"
                ),
            );
        }
    }
}

fn write_web(workspace: &Workspace) {
    workspace.write("web/package.json", "{\n  \"name\": \"shop\",\n  \"private\": true\n}\n");
    workspace.write("web/package-lock.json", "{\n  \"lockfileVersion\": 3\n}\n");
    for part in PARTS {
        for view in ["list", "detail", "edit"] {
            let folder = format!("web/src/views/{part}/{view}");
            workspace.write(
                format!("{folder}/index.tsx"),
                format!("export function View() {{\n  return <h1 className=\"title\">{part} {view}</h1>;\n}}\n"),
            );
            workspace.write(format!("{folder}/style.css"), ".title {\n  margin: 0;\n}\n");
        }
    }
}

fn write_documents(workspace: &Workspace) {
    for chapter in 1..=30 {
        workspace.write(
            format!("docs/guide/chapter-{chapter:02}.md"),
            format!("# Chapter {chapter}\n\nWhat happens in chapter {chapter}.\n"),
        );
    }
    for number in 1..=12 {
        workspace.write(format!("db/migrations/{number:04}_step.sql"), "ALTER TABLE orders ADD COLUMN note TEXT;\n");
    }
    workspace.write(SPACED, "# Week 12\n\n- nothing decided\n");
    workspace.write(NON_ASCII, "# Größen\n\nEinheit: 寸 😀\n");
    workspace.write("docs/100% done.md", "# Done\n");
    workspace.write("scripts/windows.ps1", "Write-Output 'hello'\r\nExit 0\r\n");
    workspace.write("scripts/with-mark.txt", "\u{feff}starts with a byte-order mark\n");
    workspace.write("scripts/empty", "");
}

/// Links are made only where everyone may make them.
#[cfg(unix)]
fn write_links(workspace: &Workspace) {
    use std::os::unix::fs::symlink;
    symlink("guide/chapter-03.md", workspace.path(LINK)).unwrap();
    symlink("services/api/src", workspace.path("api-sources")).unwrap();
    symlink("../nowhere.md", workspace.path("docs/dangling.md")).unwrap();
}

#[cfg(not(unix))]
fn write_links(_workspace: &Workspace) {}
