//! A split index (gitformat-index(5), "Split index"): most entries stand in a shared index, and the index itself says which
//! of these it leaves out, which it has otherwise, and what it has beside them.

use std::io::{self, Read};
use std::iter::Peekable;
use std::ops::ControlFlow;
use std::vec;

use deconflict_protocol::text::hex;

use super::index_entries::{Entries, Entry, ObjectFormat, chunk, each_entry};

/// What the extension is called that leads to the shared index.
const LINK: [u8; 4] = *b"link";

/// Goes through all entries that an index means, in the order of their names, until one ends it. `shared` opens a shared
/// index by its file's name.
pub(super) fn each_entry_of_all<T, R: Read>(
    index: impl Read,
    format: ObjectFormat,
    shared: impl FnOnce(&str) -> io::Result<R>,
    mut with: impl FnMut(&Entry, &[u8]) -> ControlFlow<T>,
) -> io::Result<Option<T>> {
    let mut entries = Entries::begin(index, format)?;
    let mut own = Vec::new();
    while let Some((entry, name)) = entries.next()? {
        own.push(OwnEntry::of(&entry, name));
    }
    let link = entries.extension(LINK)?;
    let link = link.map(|link| Link::read(&link, format).ok_or(io::ErrorKind::InvalidData)).transpose()?;
    let Some(Link { base: Some(base), left_out, replaced }) = link else {
        return Ok(own.iter().find_map(|entry| with(&entry.entry(), &entry.name).break_value()));
    };
    let named = own.split_off(own.iter().take_while(|entry| entry.name.is_empty()).count());
    if own.len() != replaced.len() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut merged = Merged {
        left_out: left_out.into_iter().peekable(),
        replaced: replaced.into_iter().zip(own).collect::<Vec<_>>().into_iter().peekable(),
        named: named.into_iter().peekable(),
    };
    let mut position = 0;
    let found = each_entry(shared(&format!("sharedindex.{base}"))?, format, |entry, name| {
        let ended = merged.next(position, entry, name, &mut with);
        position += 1;
        ended
    })?;
    Ok(found.or_else(|| merged.named.find_map(|entry| with(&entry.entry(), &entry.name).break_value())))
}

struct OwnEntry {
    name: Vec<u8>,
    fixed: Vec<u8>,
    flags: u16,
    more_flags: u16,
}

impl OwnEntry {
    fn of(entry: &Entry, name: &[u8]) -> Self {
        let Entry { fixed, flags, more_flags } = *entry;
        Self { name: name.to_owned(), fixed: fixed.to_owned(), flags, more_flags }
    }

    fn entry(&self) -> Entry<'_> {
        Entry { fixed: &self.fixed, flags: self.flags, more_flags: self.more_flags }
    }
}

/// How an index changes the shared one, as far as that is still to come.
struct Merged {
    /// The positions of entries that it leaves out.
    left_out: Peekable<vec::IntoIter<u32>>,
    /// Those in whose place it has others.
    replaced: Peekable<vec::IntoIter<(u32, OwnEntry)>>,
    /// What it has beside them.
    named: Peekable<vec::IntoIter<OwnEntry>>,
}

impl Merged {
    /// Goes on with the entry at a position of the shared index, and with what comes before it.
    fn next<T>(
        &mut self,
        position: u32,
        entry: &Entry,
        name: &[u8],
        with: &mut impl FnMut(&Entry, &[u8]) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        let is_left_out = self.left_out.next_if_eq(&position).is_some();
        let replaced = self.replaced.next_if(|(at, _)| *at == position);
        let mut has_same_name = false;
        while let Some(own) = self.named.next_if(|own| own.name[..] <= *name) {
            has_same_name |= own.name == name;
            with(&own.entry(), &own.name)?;
        }
        match replaced {
            _ if is_left_out || has_same_name => ControlFlow::Continue(()),
            Some((_, own)) => with(&own.entry(), name),
            None => with(entry, name),
        }
    }
}

/// What the extension says.
struct Link {
    /// The hash of the shared index; `None` where there is none yet.
    base: Option<String>,
    left_out: Vec<u32>,
    replaced: Vec<u32>,
}

impl Link {
    /// `None` for what is no such extension.
    fn read(bytes: &[u8], format: ObjectFormat) -> Option<Self> {
        let (base, mut maps) = bytes.split_at_checked(format.hash_length())?;
        let base = base.iter().any(|byte| *byte != 0).then(|| hex(base));
        if maps.is_empty() {
            return Some(Self { base, left_out: Vec::new(), replaced: Vec::new() });
        }
        Some(Self { base, left_out: positions(&mut maps)?, replaced: positions(&mut maps)? })
    }
}

/// No index has more entries.
const MOST_ENTRIES: usize = 1 << 24;

/// The bits that are set in a compressed map (gitformat-bitmap(5), "Appendix A"), which is taken from the bytes.
fn positions(bytes: &mut &[u8]) -> Option<Vec<u32>> {
    const BITS: u32 = 64;
    let words = u32::from_be_bytes(chunk(bytes, 4)?) as usize;
    let map = bytes.get(8..)?.get(..words.checked_mul(8)?)?;
    // Behind it stands where its last word of counts is.
    *bytes = bytes.get(8 + map.len() + 4..)?;
    let mut words = map.chunks_exact(8).map_while(<[u8]>::first_chunk).copied().map(u64::from_be_bytes);
    let (mut found, mut at) = (Vec::new(), 0_u32);
    while let Some(counts) = words.next() {
        let is_set = counts & 1 == 1;
        let same = u32::try_from((counts >> 1) & u64::from(u32::MAX)).ok()?.checked_mul(BITS)?;
        let end = at.checked_add(same)?;
        if is_set {
            if same as usize > MOST_ENTRIES {
                return None;
            }
            found.extend(at..end);
        }
        at = end;
        for _ in 0..counts >> 33 {
            let word = words.next()?;
            found.extend((0..BITS).filter(|bit| word >> bit & 1 == 1).map(|bit| at + bit));
            at = at.checked_add(BITS)?;
            if found.len() > MOST_ENTRIES {
                return None;
            }
        }
    }
    Some(found)
}
