//! etcd's own words for reading, deciding and leases.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::gateway::{Gateway, Idempotency, Trouble, complaint};

/// So many keys are read with one question.
const PAGE: usize = 1000;

/// A key with what stands under it.
#[derive(Debug, Clone)]
pub(super) struct KeyValue {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) mod_revision: i64,
    pub(super) lease: i64,
}

/// What a transaction requires: that nothing was written since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Comparison {
    /// A key was last written at this revision; at 0, it does not exist.
    Unchanged(Vec<u8>, i64),
    /// Of a range nothing was written after this revision.
    NoneNewer(Vec<u8>, Vec<u8>, i64),
}

/// What a transaction writes.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    /// A value, which goes with its lease, where it has one.
    Put(Vec<u8>, Vec<u8>, i64),
    Delete(Vec<u8>),
}

pub(super) fn text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default()
}

/// 64 bits are strings in this JSON, and nothing at all where they are 0.
pub(super) fn number(value: &Value) -> i64 {
    value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_i64()).unwrap_or_default()
}

pub(super) fn key_value(value: &Value) -> KeyValue {
    KeyValue {
        key: bytes(&value["key"]),
        value: bytes(&value["value"]),
        mod_revision: number(&value["mod_revision"]),
        lease: number(&value["lease"]),
    }
}

fn key_values(answer: &Value) -> Vec<KeyValue> {
    answer["kvs"].as_array().into_iter().flatten().map(key_value).collect()
}

/// Reads two keys as they stand now, and which revision that is.
pub(super) fn read_now(gateway: &Gateway, keys: [&[u8]; 2]) -> Result<(i64, [Option<KeyValue>; 2]), Trouble> {
    let (revision, found) = read_all_now(gateway, &keys)?;
    let mut found = found.into_iter();
    Ok((revision, keys.map(|_| found.next().flatten())))
}

/// Reads keys as they stand now, in their order, and which revision that is.
pub(super) fn read_all_now(gateway: &Gateway, keys: &[&[u8]]) -> Result<(i64, Vec<Option<KeyValue>>), Trouble> {
    let read: Vec<Value> = keys.iter().map(|key| json!({ "request_range": { "key": text(key) } })).collect();
    let answer = gateway.ask("/v3/kv/txn", &json!({ "success": read }), Idempotency::Idempotent)?;
    let read = |at: usize| key_values(&answer["responses"][at]["response_range"]).pop();
    Ok((number(&answer["header"]["revision"]), (0..keys.len()).map(read).collect()))
}

/// Reads a key as it stood at a revision.
pub(super) fn read_at(gateway: &Gateway, key: &[u8], revision: i64) -> Result<Option<KeyValue>, Trouble> {
    let question = json!({ "key": text(key), "revision": revision.to_string() });
    Ok(key_values(&gateway.ask("/v3/kv/range", &question, Idempotency::Idempotent)?).pop())
}

/// Reads a range as it stood at a revision.
pub(super) fn range_at(gateway: &Gateway, start: &[u8], end: &[u8], revision: i64) -> Result<Vec<KeyValue>, Trouble> {
    let mut found: Vec<KeyValue> = Vec::new();
    let mut from = start.to_vec();
    loop {
        let question = json!({
            "key": text(&from), "range_end": text(end), "revision": revision.to_string(), "limit": PAGE.to_string(),
        });
        let answer = gateway.ask("/v3/kv/range", &question, Idempotency::Idempotent)?;
        found.extend(key_values(&answer));
        match found.last() {
            Some(last) if answer["more"] == true => from = [&last.key[..], &[0]].concat(),
            _ => return Ok(found),
        }
    }
}

/// Writes all of it if all the comparisons hold; returns the revision, or `None` if one does not.
pub(super) fn transact(
    gateway: &Gateway,
    comparisons: &[Comparison],
    operations: &[Operation],
) -> Result<Option<i64>, Trouble> {
    let compare = comparisons.iter().map(|comparison| match comparison {
        Comparison::Unchanged(key, revision) => json!({
            "key": text(key), "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string(),
        }),
        Comparison::NoneNewer(start, end, revision) => json!({
            "key": text(start), "range_end": text(end), "target": "MOD", "result": "LESS",
            "mod_revision": (revision + 1).to_string(),
        }),
    });
    let success = operations.iter().map(|operation| match operation {
        Operation::Put(key, value, lease) => json!({
            "request_put": { "key": text(key), "value": text(value), "lease": lease.to_string() },
        }),
        Operation::Delete(key) => json!({ "request_delete_range": { "key": text(key) } }),
    });
    let question = json!({ "compare": compare.collect::<Vec<_>>(), "success": success.collect::<Vec<_>>() });
    let answer = gateway.ask("/v3/kv/txn", &question, Idempotency::Once)?;
    Ok((answer["succeeded"] == true).then(|| number(&answer["header"]["revision"])))
}

/// Makes a lease under a number of one's own.
pub(super) fn grant(gateway: &Gateway, lease: i64, seconds: i64) -> Result<(), Trouble> {
    let question = json!({ "ID": lease.to_string(), "TTL": seconds.to_string() });
    gateway.ask("/v3/lease/grant", &question, Idempotency::Idempotent).map(drop)
}

/// Lets a lease begin anew; false if there is none of that number.
pub(super) fn keep_alive(gateway: &Gateway, lease: i64) -> Result<bool, Trouble> {
    let answer = gateway.ask("/v3/lease/keepalive", &json!({ "ID": lease.to_string() }), Idempotency::Idempotent)?;
    if answer["error"].is_object() {
        return Err(complaint(&answer["error"]));
    }
    Ok(number(&answer["result"]["TTL"]) > 0)
}
