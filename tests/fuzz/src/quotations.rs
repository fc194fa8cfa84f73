//! Other people's text inside of ours.

use deconflict_protocol::text::{id_or_quoted, is_mark, one_line, quoted, quoted_lines, shell_word, without_tags};
use deconflict_protocol::{Resource, ResourceType, SessionId, SessionRecord};

use super::steers;

/// The first byte is the most characters that may be shown, the rest is a text. Wherever it stands in a sentence, it
/// neither ends its quotation nor looks as if it did, nor opens a tag.
pub fn quotations(data: &[u8]) {
    let Some((limit, text)) = data.split_first() else { return };
    let (limit, text) = (usize::from(*limit).max(1), String::from_utf8_lossy(text));
    let quotation = quoted(&text, limit);
    expect_one_quotation(&quotation);
    assert!(quotation.chars().count() <= limit + 2, "{quotation:?}");
    let again = quoted(quotation.trim_matches('"'), limit);
    assert_eq!(again, quotation, "a quotation of what was quoted is the same");
    for line in quoted_lines(&text, limit) {
        assert!(line.starts_with("> ") && !line.contains(['<', '\n', '\r']) && !steers(&line), "{line:?}");
    }
    let word = shell_word(&text);
    assert!(!word.contains(['<', '\n']) && !steers(&word), "{word:?}");
    let id = id_or_quoted(&text, limit);
    assert!(id == text || id == quotation, "{id:?}");
    assert!(!without_tags(&text).contains('<'));
    assert!(one_line(&text, limit).chars().count() <= limit);
    expect_quoted_names(&text);
}

/// Names of sessions and resources are quoted wherever a sentence names them.
fn expect_quoted_names(text: &str) {
    let id = SessionId::foreign("session-1").unwrap();
    let name = Some(text.to_owned());
    for record in [
        SessionRecord { name: name.clone(), ..SessionRecord::default() },
        SessionRecord { user: name.clone(), client: name, ..SessionRecord::default() },
    ] {
        let named = record.label_and_id(&id);
        if named != "\"session-1\"" {
            expect_one_quotation(named.strip_suffix(" (session-1)").unwrap());
        }
    }
    for kind in [ResourceType::file(), ResourceType::directory(), ResourceType::new("task").unwrap()] {
        if let Ok(resource) = Resource::new(kind, text) {
            let named = resource.in_a_sentence();
            expect_one_quotation(named.strip_prefix("the directory ").unwrap_or(&named));
        }
    }
}

#[track_caller]
fn expect_one_quotation(text: &str) {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_else(|| panic!("{text:?}"));
    assert!(!inner.contains(is_mark) && !inner.ends_with('\\'), "{text:?}");
    assert!(!inner.contains(['<', '\n', '\r', '\t']) && !steers(inner), "{text:?}");
}
