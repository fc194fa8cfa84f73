//! By what a claim is found: a key made of its resource's type and name.
//!
//! Keys are ordered so that the claims of a resource, of everything above it and of everything below it are a few
//! ranges: one key, one key for each directory above, and two beginnings. A key is plain text of a bounded length with
//! no separator in it, so that every store can use it as a name as it is.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::resource::ROOT;
use super::{Resource, ResourceType, text};

/// The longest key, in bytes.
const LONGEST_KEY: usize = 249;

/// The longest encoded name, in bytes. A longer one is cut and ends with a hash.
const LONGEST_ENCODED_NAME: usize = 200;

/// Stands before the hash of a cut name. The encoding never produces it.
const CUT_MARK: &str = "%~";

/// Which names a store takes as equal. Whatever compares names of resources asks it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Naming {
    /// True where names that differ only in case are one name.
    pub ignores_case: bool,
}

impl Naming {
    /// The key of a claim of this.
    pub fn key(self, resource: &Resource) -> ClaimKey {
        let kind = resource.resource_type().as_str();
        // Another program's type may be so long that it leaves less room.
        let room = LONGEST_KEY.saturating_sub(kind.len() + "-".len());
        let name = encode(resource.name(), room.min(LONGEST_ENCODED_NAME));
        self.spelled(&[kind, "-", &name].concat())
    }

    /// A key as a store spells it; `None` for what is none.
    pub fn parse(self, name: &str) -> Option<ClaimKey> {
        (!name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\'])).then(|| self.spelled(name))
    }

    /// How the keys of all claims below a directory begin, for both types. Cut names keep enough of their beginning.
    pub fn beginnings_below(self, directory: &Resource) -> [String; 2] {
        let encoded = match directory.name() {
            ROOT => String::new(),
            name => encode_whole(&format!("{name}/")),
        };
        let mut start = encoded.as_str();
        if start.len() > LONGEST_ENCODED_NAME - HASH_LENGTH {
            let mut end = LONGEST_ENCODED_NAME - HASH_LENGTH - 12;
            while !start.is_char_boundary(end) {
                end -= 1;
            }
            start = &start[..end];
        }
        ["file", "directory"].map(|kind| self.folded(&format!("{kind}-{start}")))
    }

    /// True if holding one excludes holding the other.
    pub fn overlap(self, one: &Resource, other: &Resource) -> bool {
        if !self.ignores_case {
            return one.overlaps(other);
        }
        let folded = |resource: &Resource| resource.renamed(&self.folded(resource.name()));
        matches!((folded(one), folded(other)), (Ok(one), Ok(other)) if one.overlaps(&other))
    }

    fn folded(self, text: &str) -> String {
        if self.ignores_case { text.to_lowercase() } else { text.to_owned() }
    }

    fn spelled(self, name: &str) -> ClaimKey {
        let spelled: Arc<str> = name.into();
        let compared = if self.ignores_case { self.folded(name).into() } else { Arc::clone(&spelled) };
        ClaimKey { spelled, compared }
    }
}

/// By what a claim is found. Exclusion follows it: two claims with one key are claims of one resource, whatever the
/// records say inside.
///
/// Clones share the text, because a server keeps thousands of keys and looks them up in several ways.
#[derive(Debug, Clone)]
pub struct ClaimKey {
    spelled: Arc<str>,
    /// The same in the form in which the store compares names.
    compared: Arc<str>,
}

impl ClaimKey {
    /// The key as the store spells it.
    pub fn as_str(&self) -> &str {
        &self.spelled
    }

    /// True if it may not tell the whole name.
    pub fn is_cut(&self) -> bool {
        self.spelled.contains(CUT_MARK)
    }

    /// Which names are equal where it comes from.
    pub fn naming(&self) -> Naming {
        Naming { ignores_case: !Arc::ptr_eq(&self.spelled, &self.compared) }
    }

    /// True if it begins so, in the form in which the store compares names; see [`Naming::beginnings_below`].
    pub fn begins_with(&self, beginning: &str) -> bool {
        self.compared.starts_with(beginning)
    }

    /// The resource that is claimed under this key, as far as the key alone tells; the record's own words (`type`,
    /// `name`) decide where the name was cut or comes from another program's spelling.
    pub fn resource(&self, recorded: Option<(&str, &str)>) -> Resource {
        if let Some(said) =
            recorded.and_then(|(kind, name)| Resource::new(ResourceType::foreign(kind).ok()?, name).ok())
            && self.naming().key(&said) == *self
        {
            return said;
        }
        let (kind, name) = self.spelled.split_once('-').unwrap_or(("unknown", &self.spelled));
        let resource_type = ResourceType::foreign(kind).unwrap_or_else(|_| ResourceType::unknown());
        let name = decode(name).unwrap_or_else(|| name.to_owned());
        Resource::as_named(resource_type, if name.is_empty() { &self.spelled } else { &name })
    }
}

impl PartialEq for ClaimKey {
    fn eq(&self, other: &Self) -> bool {
        self.compared == other.compared
    }
}

impl Eq for ClaimKey {}

impl Ord for ClaimKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compared.cmp(&other.compared)
    }
}

impl PartialOrd for ClaimKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for ClaimKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.compared.hash(state);
    }
}

impl Borrow<str> for ClaimKey {
    fn borrow(&self) -> &str {
        &self.compared
    }
}

impl fmt::Display for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelled)
    }
}

/// The length of the cut mark and a 128-bit hash in hexadecimal digits.
const HASH_LENGTH: usize = CUT_MARK.len() + 32;

/// Encodes a name into at most `room` bytes, which is more than a hash needs.
fn encode(name: &str, room: usize) -> String {
    let whole = encode_whole(name);
    if whole.len() <= room {
        return whole;
    }
    let mut end = room.saturating_sub(HASH_LENGTH);
    // A cut must fall neither into a character nor into an escape.
    while !whole.is_char_boundary(end) || whole[..end].bytes().rev().take(2).any(|b| b == b'%') {
        end -= 1;
    }
    let digest = Sha256::digest(name.as_bytes());
    let hash = text::hex(&digest[..16]);
    format!("{}{CUT_MARK}{hash}", &whole[..end])
}

fn encode_whole(name: &str) -> String {
    let last = name.chars().count().saturating_sub(1);
    let mut encoded = String::with_capacity(name.len() + 8);
    for (position, c) in name.chars().enumerate() {
        let at_an_end = position == 0 || position == last;
        let must_go = matches!(c, '%' | '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
            || c.is_control()
            || (at_an_end && matches!(c, '.' | ' '));
        if must_go {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                encoded.push('%');
                encoded.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0').to_ascii_uppercase());
                encoded.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0').to_ascii_uppercase());
            }
        } else {
            encoded.push(c);
        }
    }
    encoded
}

/// Undoes the encoding; `None` if the text is no encoding of a whole name.
fn decode(encoded: &str) -> Option<String> {
    let mut parts = encoded.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok().filter(|name| !name.contains('\0'))
}
