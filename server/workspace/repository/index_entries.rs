//! The entries of git's index (gitformat-index(5)), read one after another, no further than somebody asks.

use std::io::{self, Read};
use std::ops::{ControlFlow, Range};

use memchr::memchr;

/// Which hash names the repository's objects.
#[derive(Debug, Clone, Copy)]
pub(super) enum ObjectFormat {
    Sha1,
    Sha256,
}

impl ObjectFormat {
    pub(super) fn hash_length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// What stands before an entry's name.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Ten numbers of 32 bits, and the object's hash.
    pub(super) fixed: &'a [u8],
    pub(super) flags: u16,
    pub(super) more_flags: u16,
}

/// The length of what stands before the object's hash.
const NUMBERS: usize = 40;

impl<'a> Entry<'a> {
    /// One of the ten numbers, in the order of the format.
    pub(super) fn number(&self, index: usize) -> u32 {
        self.fixed.get(index * 4..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_be_bytes)
    }

    pub(super) fn hash(&self) -> &'a [u8] {
        &self.fixed[NUMBERS..]
    }
}

/// Goes through the entries of an index in the order of their names, until one ends it. In a split index those that take the
/// place of one in the shared index come first, and have no name.
/// An index of a version that is not known here, or a damaged one, is invalid data or ends too early.
pub(super) fn each_entry<T>(
    index: impl Read,
    format: ObjectFormat,
    mut with: impl FnMut(&Entry, &[u8]) -> ControlFlow<T>,
) -> io::Result<Option<T>> {
    let mut entries = Entries::begin(index, format)?;
    while let Some((entry, name)) = entries.next()? {
        if let ControlFlow::Break(found) = with(&entry, name) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The entries of an index, and what follows them.
pub(super) struct Entries<R> {
    window: Window<R>,
    format: ObjectFormat,
    version: u32,
    /// So many are still to come.
    left: u32,
    name: Vec<u8>,
}

impl<R: Read> Entries<R> {
    pub(super) fn begin(index: R, format: ObjectFormat) -> io::Result<Self> {
        let mut window = Window { index, bytes: Vec::new(), begin: 0, chunk: FIRST_CHUNK };
        let (Header { version, count }, _) = window.next(header)?;
        Ok(Self { window, format, version, left: count, name: Vec::new() })
    }

    /// The next entry, with its name.
    pub(super) fn next(&mut self) -> io::Result<Option<(Entry<'_>, &[u8])>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let (version, format, name) = (self.version, self.format, &mut self.name);
        let (raw, bytes) = self.window.next(|bytes| raw_entry(bytes, version, format))?;
        let kept = match raw.dropped {
            Some(dropped) => name.len().checked_sub(dropped).ok_or(io::ErrorKind::InvalidData)?,
            None => 0,
        };
        let rest = &bytes[raw.name];
        // Out of order, this is no index.
        if rest < &name[kept..] {
            return Err(io::ErrorKind::InvalidData.into());
        }
        name.truncate(kept);
        name.extend_from_slice(rest);
        Ok(Some((Entry { fixed: &bytes[..raw.fixed], flags: raw.flags, more_flags: raw.more_flags }, name)))
    }

    /// What an extension says that follows the entries, all of which were read; `None` where it is not there.
    pub(super) fn extension(&mut self, signature: [u8; 4]) -> io::Result<Option<Vec<u8>>> {
        loop {
            match self.window.next(|bytes| Ok(extension(bytes))) {
                Ok((found, bytes)) if found == signature => return Ok(Some(bytes[EXTENSION_HEADER..].to_owned())),
                Ok(_) => {}
                // At the end stands a hash, which is not as long as it would have to be, read like this.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The length of an extension's name and length.
const EXTENSION_HEADER: usize = 8;

fn extension(bytes: &[u8]) -> Option<([u8; 4], usize)> {
    let (signature, length) = (chunk(bytes, 0)?, chunk(bytes, 4)?);
    let end = EXTENSION_HEADER + u32::from_be_bytes(length) as usize;
    (end <= bytes.len()).then_some((signature, end))
}

/// What stands at the beginning of some bytes, and how many of them it takes. `None` if it goes on after them.
type Parsed<T> = io::Result<Option<(T, usize)>>;

struct Header {
    version: u32,
    count: u32,
}

fn header(bytes: &[u8]) -> Parsed<Header> {
    let (Some(magic), Some(version), Some(count)) = (chunk::<4>(bytes, 0), chunk(bytes, 4), chunk(bytes, 8)) else {
        return Ok(None);
    };
    let header = Header { version: u32::from_be_bytes(version), count: u32::from_be_bytes(count) };
    if magic != *b"DIRC" || !(2..=4).contains(&header.version) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Some((header, 12)))
}

/// An entry as it stands in the file, by where its fields are.
struct RawEntry {
    /// The length of the numbers and the hash, with which it begins.
    fixed: usize,
    flags: u16,
    more_flags: u16,
    /// How many bytes at the end of the name before are not part of its own, where its own is told by that.
    dropped: Option<usize>,
    /// Its name, or how its own goes on.
    name: Range<usize>,
}

/// No path that git handles is longer.
const LONGEST_PATH: usize = 1 << 16;

fn raw_entry(bytes: &[u8], version: u32, format: ObjectFormat) -> Parsed<RawEntry> {
    let fixed = NUMBERS + format.hash_length();
    let mut end = fixed;
    let Some(flags) = number(bytes, &mut end) else { return Ok(None) };
    let mut more_flags = 0;
    if version >= 3 && flags & 0x4000 != 0 {
        let Some(found) = number(bytes, &mut end) else { return Ok(None) };
        more_flags = found;
    }
    let mut dropped = None;
    if version == 4 {
        let Some((found, length)) = offset(&bytes[end..])? else { return Ok(None) };
        dropped = Some(found);
        end += length;
    }
    let Some(length) = memchr(0, &bytes[end..]) else {
        return if bytes.len() - end > LONGEST_PATH { Err(io::ErrorKind::InvalidData.into()) } else { Ok(None) };
    };
    let name = end..end + length;
    end = name.end + 1;
    if version != 4 {
        // Zeros fill it up to a multiple of eight bytes.
        end = end.next_multiple_of(8);
    }
    let entry = RawEntry { fixed, flags, more_flags, dropped, name };
    Ok((end <= bytes.len()).then_some((entry, end)))
}

fn number(bytes: &[u8], at: &mut usize) -> Option<u16> {
    let number = chunk(bytes, *at).map(u16::from_be_bytes)?;
    *at += 2;
    Some(number)
}

/// A number as pack files write an offset (gitformat-pack(5)).
fn offset(bytes: &[u8]) -> Parsed<usize> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f);
        if value > LONGEST_PATH {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
        value = (value + 1) << 7;
    }
    Ok(None)
}

pub(super) fn chunk<const LENGTH: usize>(bytes: &[u8], at: usize) -> Option<[u8; LENGTH]> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied()
}

/// How much is read at first, and at most at once: of most indexes only the beginning is needed, or there is no more.
const FIRST_CHUNK: usize = 1 << 12;
const LARGEST_CHUNK: usize = 1 << 16;

/// What was read of an index, from where on it was not looked at yet, and how much is read next.
struct Window<R> {
    index: R,
    bytes: Vec<u8>,
    begin: usize,
    chunk: usize,
}

impl<R: Read> Window<R> {
    /// What comes next, with its bytes, for which as much is read as it takes.
    fn next<T>(&mut self, parse: impl Fn(&[u8]) -> Parsed<T>) -> io::Result<(T, &[u8])> {
        loop {
            if let Some((found, length)) = parse(&self.bytes[self.begin..])? {
                let begin = self.begin;
                self.begin += length;
                return Ok((found, &self.bytes[begin..self.begin]));
            }
            self.bytes.drain(..self.begin);
            self.begin = 0;
            let known = self.bytes.len();
            self.bytes.resize(known + self.chunk, 0);
            self.chunk = LARGEST_CHUNK.min(4 * self.chunk);
            let added = self.index.read(&mut self.bytes[known..])?;
            self.bytes.truncate(known + added);
            if added == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
