//! Reading and writing records as JSON, so that nothing that another program wrote gets lost.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
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
    let listed = serde_json::from_slice(bytes);
    if let Ok(record) = listed.and_then(|FieldList(fields)| T::deserialize(MapDeserializer::new(fields.into_iter()))) {
        return Ok(record);
    }
    Ok(serde_json::from_value(Value::Object(parse(bytes)?))?)
}

/// An object's fields as they stand there.
struct FieldList<'de>(Vec<(&'de str, Value)>);

impl<'de> Deserialize<'de> for FieldList<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Listing;
        impl<'de> Visitor<'de> for Listing {
            type Value = FieldList<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldList<'de>, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(FieldList(fields))
            }
        }
        deserializer.deserialize_map(Listing)
    }
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
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}

/// Reads a list of texts; anything in it that is none is left out.
pub(super) fn lenient_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let Value::Array(items) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(items.into_iter().filter_map(|item| if let Value::String(text) = item { Some(text) } else { None }).collect())
}
