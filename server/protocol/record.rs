//! Reading and writing records as JSON, so that nothing that another program wrote gets lost.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};
use thiserror::Error;

/// Why bytes are no record.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Not JSON, or nested too deeply.
    #[error("it is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but not an object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// A field is missing without which the record means nothing.
    #[error("the field \"{0}\" is missing or unusable")]
    Missing(&'static str),
}

/// Reads a record's fields, known and unknown.
pub fn parse(bytes: &[u8]) -> Result<Map<String, Value>, RecordError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match serde_json::from_slice(bytes)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(RecordError::NotAnObject),
    }
}

/// Reads a record's known fields. One of the wrong type counts as absent; of one that is there twice, the last.
pub(super) fn typed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordError> {
    // Verbs read several records each, and a map takes longer than all else in that.
    if let Some(record) = is_plain(bytes).then(|| serde_json::from_slice(bytes).ok()).flatten() {
        return Ok(record);
    }
    Ok(serde_json::from_value(Value::Object(parse(bytes)?))?)
}

/// True if what is wrong in fields that nobody knows cannot be missed by passing over them: how deep they are nested, and
/// what their texts are made of. A list, which would be read as the fields in their order, is no record.
fn is_plain(bytes: &[u8]) -> bool {
    let is_nested = |bytes: &[u8]| bytes.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() > 16;
    bytes.trim_ascii_start().starts_with(b"{")
        && !bytes.contains(&b'\\')
        && !is_nested(bytes)
        && str::from_utf8(bytes).is_ok()
}

/// Changes of a record's fields what differs between `before` and `after`; every other keeps value and place.
pub fn overlay<T: Serialize>(
    mut fields: Map<String, Value>,
    before: &T,
    after: &T,
) -> Result<Map<String, Value>, RecordError> {
    let (before, after) = (as_fields(before)?, as_fields(after)?);
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        fields.shift_remove(name);
    }
    for (name, value) in after {
        if before.get(&name) != Some(&value) {
            fields.insert(name, value);
        }
    }
    Ok(fields)
}

fn as_fields(record: &impl Serialize) -> Result<Map<String, Value>, RecordError> {
    match serde_json::to_value(record)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(RecordError::NotAnObject),
    }
}

/// Writes a record as a person can read it, with a line break at the end.
pub fn to_bytes(record: &impl Serialize) -> Result<Vec<u8>, RecordError> {
    let mut bytes = serde_json::to_vec_pretty(record)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a field if it has the expected type, and takes it for absent otherwise.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// Reads a text; a number or a truth value counts as its own spelling, because scripts paste them unquoted.
pub(super) fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Text)
}

struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<String>, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Option<String>, E> {
        Ok(Some(text))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Option<String>, E> {
        Ok(Some(truth.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<String>, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Option<String>, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Option<String>, E> {
        Ok(Number::from_f64(number).map(|number| number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<String>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Option<String>, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// Reads a list of texts; anything in it that is none is left out.
pub(super) fn lenient_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let Value::Array(items) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(items.into_iter().filter_map(|item| if let Value::String(text) = item { Some(text) } else { None }).collect())
}
