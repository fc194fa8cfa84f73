//! Records read with their fields, so that rewriting one keeps what another program put there.

use serde::Serialize;

use super::Error;
use super::store::{Key, Reader, Stored};
use deconflict_protocol::{self as protocol, RecordError};

#[derive(Debug, Clone)]
pub(super) struct Record<T> {
    bytes: Vec<u8>,
    pub(super) value: T,
}

impl<T: Clone + Serialize> Record<T> {
    pub(super) fn understand(stored: Stored, typed: fn(&[u8]) -> Result<T, RecordError>) -> Result<Self, RecordError> {
        Ok(Self { value: typed(&stored.bytes)?, bytes: stored.bytes })
    }

    /// Puts a changed value into words, with all other fields, for this key.
    pub(super) fn rewritten(&self, key: &Key, value: &T) -> Result<Vec<u8>, Error> {
        rewritten(&self.bytes, &self.value, value, key)
    }
}

/// Puts what was read, changed from `before` to `after`, into words for a key.
pub(super) fn rewritten<T: Serialize>(bytes: &[u8], before: &T, after: &T, key: &Key) -> Result<Vec<u8>, Error> {
    protocol::parse(bytes)
        .and_then(|fields| protocol::overlay(fields, before, after))
        .and_then(|fields| protocol::to_bytes(&fields))
        .map_err(|source| Error::Unwritable { key: key.clone(), source })
}

/// Reads a record; `None` if there is none.
pub(super) fn read<T: Clone + Serialize>(
    reader: &dyn Reader,
    key: &Key,
    typed: fn(&[u8]) -> Result<T, RecordError>,
) -> Result<Option<Record<T>>, Error> {
    let Some(stored) = reader.get(key)? else { return Ok(None) };
    Record::understand(stored, typed).map(Some).map_err(|source| Error::Damaged { key: key.clone(), source })
}

pub(super) fn bytes_of(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    protocol::to_bytes(value).map_err(Error::Wordless)
}
