//! Records read with their fields, so that rewriting one keeps what another program put there.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Error;
use super::directory::{Directory, Durability, Folder, Stored};
use deconflict_protocol::{self as protocol, RecordError};

/// A record as it stands in a file.
#[derive(Debug, Clone)]
pub(super) struct Record<T> {
    fields: Map<String, Value>,
    pub(super) value: T,
}

impl<T: Clone + Serialize> Record<T> {
    /// Understands what was read.
    pub(super) fn understand(
        stored: &Stored,
        typed: fn(Map<String, Value>) -> Result<T, RecordError>,
    ) -> Result<Self, RecordError> {
        let fields = protocol::parse(&stored.bytes)?;
        Ok(Self { value: typed(fields.clone())?, fields })
    }

    /// Writes a changed value in place of this one, and keeps all other fields.
    pub(super) fn rewrite(&self, directory: &Directory, folder: &Folder, name: &str, value: &T) -> Result<(), Error> {
        let bytes = self.rewritten(directory, folder, name, value)?;
        directory.replace_file(folder, name, &bytes, Durability::Process)
    }

    /// Puts a changed value into words, with all other fields, for a file of this name.
    pub(super) fn rewritten(
        &self,
        directory: &Directory,
        folder: &Folder,
        name: &str,
        value: &T,
    ) -> Result<Vec<u8>, Error> {
        protocol::overlay(self.fields.clone(), &self.value, value)
            .and_then(|fields| protocol::to_bytes(&fields))
            .map_err(|source| Error::Unwritable { path: directory.path_of(folder).join(name), source })
    }
}

/// Reads a record; `None` if there is none.
pub(super) fn read<T: Clone + Serialize>(
    directory: &Directory,
    folder: &Folder,
    name: &str,
    typed: fn(Map<String, Value>) -> Result<T, RecordError>,
) -> Result<Option<Record<T>>, Error> {
    let Some(stored) = directory.read(folder, name)? else { return Ok(None) };
    let damaged = |source| Error::Damaged { path: directory.path_of(folder).join(name), source };
    Record::understand(&stored, typed).map(Some).map_err(damaged)
}

/// Puts a new record into words.
pub(super) fn bytes_of(
    directory: &Directory,
    folder: &Folder,
    name: &str,
    value: &impl Serialize,
) -> Result<Vec<u8>, Error> {
    protocol::to_bytes(value).map_err(|source| Error::Unwritable { path: directory.path_of(folder).join(name), source })
}
