//! URIs as clients really spell them: a space or a letter left unencoded makes a URI that no parser accepts, and the
//! client must get it back exactly so. They are mended when they come in and restored when they go out.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tower_lsp::ls_types::Uri;

/// The fields of the protocol that have a URI, here and in our own commands.
const URI_FIELDS: [&str; 4] = ["uri", "oldUri", "newUri", "rootUri"];

/// The scheme under which something is known that is no URI at all. It never has a path.
const UNUSABLE: &str = "unusable:";

/// True for what stands in place of something that is no URI at all.
pub(super) fn is_unusable(uri: &Uri) -> bool {
    uri.as_str().starts_with(UNUSABLE)
}

/// How the client spells the URIs that were mended. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub(super) struct Spellings {
    originals: Arc<Mutex<HashMap<String, String>>>,
}

impl Spellings {
    /// Replaces every URI in a message that cannot be parsed by one that can.
    pub(super) fn mend(&self, message: &mut Value) {
        match message {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(uri) if URI_FIELDS.contains(&name.as_str()) => self.mend_uri(uri),
                        Value::Object(_) | Value::Array(_) => self.mend(value),
                        _ => {}
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mend(item)),
            _ => {}
        }
    }

    /// The URI as the client spelled it.
    pub(super) fn original(&self, uri: &str) -> Option<String> {
        self.originals.lock().unwrap_or_else(PoisonError::into_inner).get(uri).cloned()
    }

    fn mend_uri(&self, uri: &mut String) {
        if Uri::from_str(uri).is_ok() {
            return;
        }
        let encoded = encode(uri);
        let mended = if Uri::from_str(&encoded).is_ok() {
            encoded
        } else {
            format!("{UNUSABLE}{}", encoded.replace(':', "%3A"))
        };
        let original = std::mem::replace(uri, mended.clone());
        self.originals.lock().unwrap_or_else(PoisonError::into_inner).insert(mended, original);
    }
}

/// Encodes what may stand in no URI, and a percent sign that encodes nothing. Digits are small letters, so that this
/// spelling rarely meets one that the client uses itself.
fn encode(uri: &str) -> String {
    let mut encoded = String::with_capacity(uri.len() + 16);
    for (index, byte) in uri.bytes().enumerate() {
        let is_allowed = match byte {
            b'%' => {
                uri.as_bytes().get(index + 1..index + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            }
            b'[' | b']' => false,
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=".contains(&byte),
        };
        if is_allowed {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02x}");
        }
    }
    encoded
}
