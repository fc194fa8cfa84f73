//! How plans are told: to people, a line for each change; to programs, a document for each target.

use std::path::Path;

use deconflict_setup::{Error, Expected, Obstacle, Places, Plan, SetupTarget, Step};
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::super::failure::sentence;
use super::super::style::{ERROR, FAINT, GOOD, HEADING, WARNING};
use super::super::table::{Cell, aligned};
use super::super::words::count;

pub(super) struct Told {
    pub(super) text: String,
    pub(super) document: Value,
}

/// What a run of the verb is about.
#[derive(Clone, Copy)]
pub(super) struct RunMode {
    /// Everything is shown, and nothing done.
    pub(super) dry_run: bool,
    /// What was set up is taken back.
    pub(super) removes: bool,
    /// The user said which ones are meant.
    pub(super) by_name: bool,
}

/// Tells what is going to be done, or was done a moment ago.
pub(super) fn of_plan(plan: &Plan, places: &Places, mode: RunMode) -> Told {
    let mut text = format!("\n{}", heading(plan.target.title));
    let state = if !plan.obstacles.is_empty() {
        plan.obstacles.iter().for_each(|obstacle| text.push_str(&of_obstacle(obstacle, places)));
        "in-the-way"
    } else if plan.steps.is_empty() {
        let words = match (mode.removes, &plan.by_hand) {
            (true, _) => "nothing of it is left",
            // What the user has to write is told below, and only the user knows whether it is there.
            (false, Some(_)) => "its files are in place",
            (false, None) => "as it should be",
        };
        text.push_str(&format!("  {GOOD}✓{GOOD:#} {words}\n"));
        "unchanged"
    } else {
        text.push_str(&changes(plan, places, mode.dry_run));
        "changed"
    };
    if let Some(guide) = plan.by_hand.as_deref().filter(|_| plan.obstacles.is_empty()) {
        text.push_str(&of_guide(plan.target, guide, mode.by_name || !plan.steps.is_empty()));
    }
    for remark in &plan.remarks {
        text.push_str(&format!("  {FAINT}·{FAINT:#} {remark}\n"));
    }
    let document = json!({
        "name": plan.target.name,
        "state": state,
        "changes": if state == "changed" { plan.steps.iter().map(document).collect() } else { Vec::new() },
        "in_the_way": plan.obstacles.iter().map(|it| json!({"path": it.path, "why": it.reason})).collect::<Value>(),
        "to_do": plan.by_hand,
        "remarks": plan.remarks,
    });
    Told { text, document }
}

pub(super) fn of_error(target: &SetupTarget, error: &Error) -> Told {
    let mut text = format!("\n{}", heading(target.title));
    if let Error::NoCommand { editor, command } = error {
        let to_do = format!(
            "Its command {command} is not on the PATH, and only that can install an extension. In {editor}, run \"Shell \
             Command: Install '{command}' command in PATH\" from the palette; then: deconflict setup {}",
            target.name
        );
        text.push_str(&format!("  {WARNING}!{WARNING:#} {to_do}\n"));
        let document = json!({
            "name": target.name, "state": "missing", "changes": [], "in_the_way": [], "to_do": to_do, "remarks": [],
        });
        return Told { text, document };
    }
    let (message, advice) = (sentence(&error.to_string()), advice(error));
    text.push_str(&format!("  {ERROR}!{ERROR:#} {message}\n"));
    if let Some(advice) = advice {
        text.push_str(&format!("    {FAINT}{advice}{FAINT:#}\n"));
    }
    let document = json!({"name": target.name, "state": "failed", "changes": [], "message": message, "to_do": advice});
    Told { text, document }
}

pub(super) fn advice(error: &Error) -> Option<&'static str> {
    match error {
        Error::NoHome | Error::Silent { .. } | Error::NoCommand { .. } => None,
        Error::Io { .. } => Some("Nothing was changed for it. Fix that, and run this again."),
        Error::Busy { .. } => Some("Nothing was changed. Wait until it has ended, or end it, and run this again."),
        Error::Changed { .. } => Some("Nothing was changed for it. Run this again."),
        Error::DanglingLink { .. } => Some("Create what it leads to, or move the link away, and run this again."),
        Error::Unreadable { .. } => Some("Fix the file, or move it away, and run this again."),
        Error::Record { .. } => Some("Fix the JSON, or move the file away: setup then starts from what it finds."),
        Error::Command { .. } => Some("Nothing was changed for it. Run the command by hand to see more."),
    }
}

pub(super) fn heading(title: &str) -> String {
    format!("{HEADING}{title}{HEADING:#}\n")
}

fn of_obstacle(obstacle: &Obstacle, places: &Places) -> String {
    let path = places.shortened(&obstacle.path);
    format!(
        "  {WARNING}!{WARNING:#} {path}: {}. It stays as it is.\n    {FAINT}To use deconflict's, move it away and run this again.{FAINT:#}\n",
        obstacle.reason
    )
}

/// What is left to the user, or how to see it.
fn of_guide(target: &SetupTarget, guide: &str, is_whole: bool) -> String {
    if is_whole {
        return guide.lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect();
    }
    format!("  {FAINT}·{FAINT:#} What you have to add yourself: deconflict setup {}\n", target.name)
}

/// A line for each change; files of a folder that is ours as a whole in one, unless every change is to be seen.
fn changes(plan: &Plan, places: &Places, dry_run: bool) -> String {
    let mut rows = Vec::new();
    let mut differences = Vec::new();
    let in_folder = |path: &Path| !dry_run && plan.folder.as_ref().is_some_and(|folder| path.starts_with(folder));
    let (mut added, mut updated, mut removed) = (0, 0, 0);
    for step in &plan.steps {
        match step {
            Step::Write { path, expected, .. } if in_folder(path) => {
                *(if *expected == Expected::Nothing { &mut added } else { &mut updated }) += 1;
            }
            Step::Delete(path, _) if in_folder(path) => removed += 1,
            Step::DeleteFolder(_) if !dry_run => {}
            Step::Edit { path, before, after } if dry_run => {
                rows.push(row(step, places, dry_run));
                differences.push((path, difference(before.as_deref(), after.as_deref())));
            }
            _ => rows.push(row(step, places, dry_run)),
        }
    }
    if let Some(folder) = &plan.folder {
        let files = |number, word| {
            let what = format!("{}  {FAINT}({}){FAINT:#}", places.shortened(folder), count(number, "file"));
            (number > 0).then(|| vec![Cell::new(word, GOOD), Cell::plain(what)])
        };
        let in_front =
            [files(added, "added"), files(updated, "updated"), files(removed, "removed")].into_iter().flatten();
        rows.splice(0..0, in_front);
    }
    let mut text = aligned(&rows, "  ");
    for (path, difference) in differences {
        text.push_str(&format!("  {FAINT}{}{FAINT:#}\n{difference}", places.shortened(path)));
    }
    text
}

fn row(step: &Step, places: &Places, dry_run: bool) -> Vec<Cell> {
    let what = match step {
        Step::Link { path, to: Some(to), .. } => format!("{} → {}", places.shortened(path), places.shortened(to)),
        Step::Write { path, .. } | Step::Edit { path, .. } | Step::Delete(path, _) | Step::Link { path, .. } => {
            places.shortened(path)
        }
        Step::DeleteFolder(path) => format!("{}/", places.shortened(path)),
        Step::Install(extension) => format!("the extension {} {}", extension.id(), extension.version()),
        Step::Uninstall(_, id) => format!("the extension {id}"),
    };
    let (done, planned, _) = change(step);
    vec![Cell::new(if dry_run { planned } else { done }, GOOD), Cell::plain(what)]
}

/// What a step does, as it is told once it is done, before that, and to programs.
fn change(step: &Step) -> (&'static str, &'static str, &'static str) {
    match step {
        Step::Write { expected, .. } if *expected != Expected::Nothing => ("updated", "would update", "update"),
        Step::Write { .. } | Step::Edit { before: None, .. } => ("added", "would add", "add"),
        Step::Edit { after: None, .. } | Step::Delete(..) | Step::Link { to: None, .. } => {
            ("removed", "would remove", "remove")
        }
        Step::Edit { .. } => ("changed", "would change", "edit"),
        Step::Link { .. } => ("linked", "would link", "link"),
        Step::DeleteFolder(_) => ("removed", "would remove", "remove-folder"),
        Step::Install(_) => ("installed", "would install", "install"),
        Step::Uninstall(..) => ("removed", "would remove", "uninstall"),
    }
}

/// The lines that come and go, with a little of what is round them.
fn difference(before: Option<&str>, after: Option<&str>) -> String {
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let difference = TextDiff::from_lines(before, after);
    let mut text = String::new();
    for (index, group) in difference.grouped_ops(2).iter().enumerate() {
        if index > 0 {
            text.push_str(&format!("    {FAINT}…{FAINT:#}\n"));
        }
        for change in group.iter().flat_map(|operation| difference.iter_changes(operation)) {
            let (sign, style) = match change.tag() {
                ChangeTag::Insert => ('+', GOOD),
                ChangeTag::Delete => ('-', WARNING),
                ChangeTag::Equal => (' ', FAINT),
            };
            text.push_str(&format!("    {style}{sign} {}{style:#}\n", change.value().trim_end_matches(['\r', '\n'])));
        }
    }
    text
}

fn document(step: &Step) -> Value {
    let (_, _, change) = change(step);
    match step {
        Step::Link { path, to: Some(to), .. } => json!({"change": change, "path": path, "to": to}),
        Step::Write { path, .. }
        | Step::Edit { path, .. }
        | Step::Delete(path, _)
        | Step::DeleteFolder(path)
        | Step::Link { path, .. } => json!({"change": change, "path": path}),
        Step::Install(extension) => {
            json!({"change": change, "extension": extension.id(), "version": extension.version()})
        }
        Step::Uninstall(_, id) => json!({"change": change, "extension": id}),
    }
}
