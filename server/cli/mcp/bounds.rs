//! How much a model gets at once: an answer must not fill its context, whatever others wrote.

use deconflict_protocol::text::{printable, without_tags};
use rmcp::model::CallToolResult;
use serde_json::{Map, Value, json};

/// No longer result is sent, in bytes of what the client receives: it has the answer twice, as data and as text.
const LONGEST_RESULT: usize = 95_000;

/// So many entries of each list and characters of each text, as many of these as fit.
const BOUNDS: [(usize, usize); 7] =
    [(usize::MAX, 40_000), (usize::MAX, 4_000), (200, 2_000), (60, 1_000), (20, 500), (8, 200), (2, 100)];

/// The answer as a tool's result, in which nobody's text opens a tag, and what is too long is cut and counted.
pub(super) fn result(document: &Value, is_error: bool) -> CallToolResult {
    let result = |document: Value| {
        if is_error { CallToolResult::structured_error(document) } else { CallToolResult::structured(document) }
    };
    let fits = |result: &CallToolResult| serde_json::to_vec(result).is_ok_and(|sent| sent.len() <= LONGEST_RESULT);
    let cut = BOUNDS.into_iter().map(|bounds| result(bounded(document, bounds)));
    cut.into_iter().find(fits).unwrap_or_else(|| {
        result(json!({
            "ok": document["ok"], "reason": "too-long",
            "message": "The answer would be too long. In a terminal: the same verb with --json.",
        }))
    })
}

fn bounded(document: &Value, bounds: (usize, usize)) -> Value {
    let mut left_out = Map::new();
    let mut bounded = cut(document, "", bounds, &mut left_out);
    if let (Value::Object(bounded), false) = (&mut bounded, left_out.is_empty()) {
        bounded.insert("left_out".to_owned(), left_out.into());
        bounded.insert("all_of_it".to_owned(), "In a terminal: the same verb with --json.".into());
    }
    bounded
}

/// A value with its texts and lists cut. What is left out of a list is counted under the list's name.
fn cut(value: &Value, name: &str, bounds: (usize, usize), left_out: &mut Map<String, Value>) -> Value {
    let (most, longest) = bounds;
    match value {
        Value::String(text) => {
            let beginning: String = text.chars().take(longest).collect();
            let mark = if beginning.len() < text.len() { "…" } else { "" };
            (without_tags(&printable(&beginning)) + mark).into()
        }
        Value::Array(list) => {
            if list.len() > most {
                let before = left_out.get(name).and_then(Value::as_u64).unwrap_or(0);
                left_out.insert(name.to_owned(), (before + (list.len() - most) as u64).into());
            }
            list.iter().take(most).map(|value| cut(value, name, bounds, left_out)).collect()
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            Value::Object(fields.map(|(name, value)| (name.clone(), cut(value, name, bounds, left_out))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_document_is_too_long() {
        for document in [
            json!({"ok": true, "message": "\"".repeat(1 << 20)}),
            json!({"ok": true, "messages": vec!["x".repeat(900_000); 60]}),
            json!((0..20_000).map(|number| (number.to_string(), Value::Null)).collect::<Map<_, _>>()),
        ] {
            assert!(serde_json::to_vec(&result(&document, true)).unwrap().len() <= LONGEST_RESULT);
        }
    }
}
