//! Where changes of two sides cannot be told apart, so that a verb that takes one side's alone does nothing.

use deconflict_changes::Overlap;
use deconflict_journal::text::Place;
use deconflict_protocol::text::{one_line, shell_word};
use serde_json::{Value, json};

use super::failure::Failure;

/// Fails if there are any, and lists them. `undone` says what did not happen.
pub(super) fn refuse(overlaps: &[Overlap], undone: &str) -> Result<(), Failure> {
    if overlaps.is_empty() {
        return Ok(());
    }
    let places = overlaps.iter().flat_map(places);
    let failure = places.fold(
        Failure::refused("overlap", format!("These changes overlap with others', so {undone}.")),
        Failure::advise,
    );
    let failure = match overlaps.first() {
        Some(overlap) => {
            let file = shell_word(&overlap.resource.display_name());
            failure.advise(format!("Talk to them, or name other files. Whose each line is: deconflict blame {file}"))
        }
        None => failure,
    };
    let documents: Vec<Value> = overlaps.iter().flat_map(documents).collect();
    Err(failure.fact("overlaps", documents))
}

/// Where changes of two sides meet, a line each: `src/a.rs:3-5, of Ada`.
fn places(overlap: &Overlap) -> Vec<String> {
    let labels: Vec<String> = overlap.others.iter().map(|other| one_line(&other.label, 60)).collect();
    let whom = if labels.is_empty() { "nobody who is known".to_owned() } else { labels.join(" and ") };
    let file = one_line(&overlap.resource.display_name(), 200);
    if overlap.places.is_empty() {
        return vec![format!("{file}, of {whom}")];
    }
    let place = |place: &Place| {
        let last = if place.last > place.first { format!("-{}", place.last) } else { String::new() };
        format!("{file}:{}{last}, of {whom}", place.first)
    };
    overlap.places.iter().map(place).collect()
}

fn documents(overlap: &Overlap) -> Vec<Value> {
    let others: Vec<&str> = overlap.others.iter().map(|other| other.session.as_str()).collect();
    let whole = json!({"path": overlap.resource.name(), "others": others});
    if overlap.places.is_empty() {
        return vec![whole];
    }
    let at = |first: usize, last: usize| {
        let mut document = whole.clone();
        (document["first"], document["last"]) = (first.into(), last.max(first).into());
        document
    };
    overlap.places.iter().map(|place| at(place.first, place.last)).collect()
}
