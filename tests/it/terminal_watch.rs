//! `deconflict status --watch` as a person leaves it open: in a terminal, followed by eye.

use std::path::Path;

use crate::support::{Screen, Terminal, Workspace};

/// A shell in which somebody watches, and a session at another prompt.
fn watching(workspace: &Workspace, size: (u16, u16)) -> Option<(Screen, Terminal)> {
    let (terminal, _) = Terminal::with_named_session(workspace, "claude · login form");
    let place = Path::new(env!("CARGO_BIN_EXE_deconflict")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", place.display());
    let screen = Screen::on(workspace)?.env("PATH", path).env("PS1", "prompt> ").start(size, ["sh"]);
    screen.wait_for("prompt>");
    screen.type_text("deconflict status --watch");
    screen.press(&["Enter"]);
    screen.wait_for("Ctrl-C leaves");
    Some((screen, terminal))
}

#[track_caller]
fn assert_nothing_is_wrapped(screen: &Screen, columns: usize) {
    let text = screen.text();
    let heads = text.lines().filter(|line| line.starts_with("deconflict · ")).count();
    assert_eq!(heads, 1, "one picture:\n{text}");
    for line in text.lines() {
        let is_known = line.is_empty() || line.starts_with("  ") || !line.starts_with(' ');
        assert!(is_known && line.chars().count() <= columns, "{line:?} in\n{text}");
    }
}

#[test]
fn it_follows_each_change_lives_and_gives_the_screen_back() {
    let workspace = Workspace::small();
    let Some((screen, terminal)) = watching(&workspace, (80, 24)) else { return };
    let row = screen.wait_for("claude · login form");
    assert!(row.contains('●'), "{row}");

    terminal.run(["claim", "file", "README.md"]).expect_code(0);
    let row = screen.wait_for("4h left");
    assert!(row.contains("README.md") && row.contains("claude · login form"), "{row}");
    terminal.run(["release", "file", "README.md"]).expect_code(0);
    screen.wait_until_gone("4h left");

    // The clock at the end of the first line goes on, and nothing else moves.
    let clock = |text: &str| text.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    let before = clock(&screen.text());
    assert_eq!(before.len(), "12:34:56".len(), "{before}");
    screen.wait("the clock to go on", |text| (clock(text) != before).then_some(()));
    assert!(screen.coloured().contains("\u{1b}[32m"), "somebody who lives is green");
    assert_eq!(screen.state("#{alternate_on} #{cursor_flag}"), "1 0", "a screen of its own, without a cursor");

    screen.press(&["C-z"]);
    screen.wait_until_gone("Ctrl-C leaves");
    assert_eq!(screen.state("#{alternate_on} #{cursor_flag}"), "0 1", "as it was, for a while");
    screen.type_text("fg");
    screen.press(&["Enter"]);
    screen.wait_for("Ctrl-C leaves");

    screen.press(&["C-c"]);
    screen.wait_until_gone("Ctrl-C leaves");
    screen.wait_for("deconflict status --watch");
    assert_eq!(screen.state("#{alternate_on} #{cursor_flag}"), "0 1", "as it was");
    screen.type_text("echo ended with $?");
    screen.press(&["Enter"]);
    screen.wait_for("ended with 0");
}

#[test]
fn it_fits_whatever_size_the_terminal_has() {
    let workspace = Workspace::small();
    let Some((screen, terminal)) = watching(&workspace, (100, 30)) else { return };
    for number in 0..30 {
        terminal.run(["claim", "task", &format!("task {number}")]).expect_code(0);
    }
    let row = screen.wait_for("●");
    assert!(row.contains("session-"), "there is room for the id: {row}");
    screen.wait_for("more");
    assert_nothing_is_wrapped(&screen, 100);

    screen.resize((44, 16));
    screen.wait("the narrow picture", |text| {
        let row = text.lines().find(|line| line.contains('●'))?;
        (row.contains("claude · login form") && !row.contains("session-")).then_some(())
    });
    assert_nothing_is_wrapped(&screen, 44);
    screen.wait_for("Claims");

    screen.resize((120, 50));
    screen.wait_for("task 29");
    assert_nothing_is_wrapped(&screen, 120);
}

#[test]
fn keys_scroll_or_leave_and_garble_nothing() {
    let workspace = Workspace::small();
    let Some((screen, terminal)) = watching(&workspace, (70, 12)) else { return };
    for number in 10..40 {
        terminal.run(["claim", "task", &format!("task {number}")]).expect_code(0);
    }
    // Where the end is, is decided when its key is pressed.
    screen.wait_for("30 claims");
    screen.wait_for("more");
    screen.type_text("xyz!");
    screen.press(&["Down", "Down", "Down", "Down", "Down", "Down", "Down", "Down"]);
    screen.wait_for("task 20");
    assert_nothing_is_wrapped(&screen, 70);
    assert!(!screen.text().contains("xyz"), "{}", screen.text());
    screen.press(&["NPage", "End"]);
    screen.wait_for("task 39");
    screen.press(&["Home"]);
    screen.wait_for("more");
    screen.press(&["q"]);
    screen.wait_until_gone("Ctrl-C leaves");
    screen.type_text("echo ended with $?");
    screen.press(&["Enter"]);
    screen.wait_for("ended with 0");
}

#[test]
fn a_closed_window_ends_it() {
    let workspace = Workspace::small();
    let Some((screen, _terminal)) = watching(&workspace, (80, 24)) else { return };
    let shell: u32 = screen.state("#{pane_pid}").parse().unwrap();
    screen.close();
    screen.wait_for_end();
    crate::support::wait_for("the shell and what it ran to end", || {
        // In a container nobody may collect it, and then it keeps its number.
        deconflict_platform::process(shell).is_none().then_some(())
    });
}
