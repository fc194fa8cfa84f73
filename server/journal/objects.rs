//! The contents: git's blobs in a bare repository of their own, so that git's tools read them and git packs them. Loose
//! ones are written here; packs are made by git when there are many (`upkeep.rs`).

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use deconflict_workspace::PrivateFolder;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::content_id::ContentId;
use super::error::{Error, failed};
use super::stored;

/// Larger contents are not kept, in bytes.
pub(super) const LARGEST: u64 = 50 << 20;

/// What comes before a blob's bytes is shorter than this.
const LONGEST_HEADER: u64 = 64;

/// Whoever has written for so long has died.
const UNFINISHED: Duration = Duration::from_mins(10);

/// The contents of a journal.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    journal: PrivateFolder,
    folder: PrivateFolder,
}

/// A content, ready to be written.
pub(super) struct Prepared {
    id: ContentId,
    /// In zlib's format.
    stream: Vec<u8>,
}

/// What git calls a blob of these bytes; `None` if they were made so that others have the same name.
pub(super) fn id_of(bytes: &[u8]) -> Option<ContentId> {
    let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    hasher.update(header(bytes).as_bytes());
    hasher.update(bytes);
    hasher.try_finalize().ok().map(ContentId)
}

/// What is in a stream of zlib's format. Its beginning says how long it is, so that there is room at once.
fn decompressed(stream: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut decoder = ZlibDecoder::new(stream).take(LARGEST + LONGEST_HEADER);
    let mut beginning = [0; 32];
    let begun = decoder.read(&mut beginning)?;
    let described = beginning[..begun].split(|byte| *byte == 0).next().and_then(|said| std::str::from_utf8(said).ok());
    let length = described.and_then(|said| said.strip_prefix("blob ")?.parse::<usize>().ok());
    // What is damaged may say anything.
    let room = length.unwrap_or_default().min(stream.len().saturating_mul(64));
    let mut bytes = Vec::with_capacity(room + beginning.len() + 1);
    bytes.extend_from_slice(&beginning[..begun]);
    decoder.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn header(bytes: &[u8]) -> String {
    format!("blob {}\0", bytes.len())
}

impl Prepared {
    pub(super) fn id(&self) -> ContentId {
        self.id
    }

    pub(super) fn new(id: ContentId, bytes: &[u8]) -> std::io::Result<Self> {
        // Compressing 20 KB takes an agent's hook as long as all the rest of what it does for the journal, and git compresses
        // what it packs.
        if let Some(stream) = stored::write(header(bytes).as_bytes(), bytes) {
            return Ok(Self { id, stream });
        }
        // Level 1 takes half the time of level 3 for a third more room, until git packs it.
        let mut encoder = ZlibEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
        encoder.write_all(header(bytes).as_bytes())?;
        encoder.write_all(bytes)?;
        Ok(Self { id, stream: encoder.finish()? })
    }
}

impl Objects {
    pub(super) fn new(journal: &PrivateFolder) -> Self {
        Self { journal: journal.clone(), folder: journal.below("objects") }
    }

    /// Writes a content, unless it is there.
    pub(super) fn put(&self, prepared: &Prepared) -> Result<(), Error> {
        self.ensure_repository()?;
        let (folder, name) = self.place(prepared.id);
        folder.put(&name, &prepared.stream).map_err(failed("write", &folder.path().join(name)))
    }

    /// Makes what git wants to see of a repository.
    pub(super) fn ensure_repository(&self) -> Result<(), Error> {
        const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n";
        if self.journal.contains("HEAD") {
            return Ok(());
        }
        let path = self.journal.path();
        self.journal.below("refs").ensure().map_err(failed("make", &path.join("refs")))?;
        for (name, text) in [("config", CONFIG), ("HEAD", "ref: refs/heads/journal\n")] {
            self.journal.put(name, text.as_bytes()).map_err(failed("write", &path.join(name)))?;
        }
        Ok(())
    }

    /// True if a content was written and not packed since.
    pub(super) fn has_loose(&self, id: ContentId) -> bool {
        let (folder, name) = self.place(id);
        folder.contains(&name)
    }

    /// Reads a content.
    pub(super) fn get(&self, id: ContentId) -> Result<Vec<u8>, Error> {
        let loose = self.get_loose(id);
        if let Ok(Some(bytes)) = loose {
            return Ok(bytes);
        }
        let mut result = loose;
        // What was packed just now is no longer where it was, and packs may be replaced by a new one.
        for _ in 0..3 {
            let packs = self.packs()?;
            match packs.get(id) {
                Ok(Some(bytes)) => return Ok(bytes),
                Ok(None) => {}
                Err(()) => result = Err(self.damaged(id)),
            }
            if self.pack_names()? == packs.names() {
                break;
            }
        }
        match result {
            Ok(_) => Err(Error::NoContent { journal: self.journal.path(), content: id }),
            Err(error) => Err(error),
        }
    }

    /// Reads what is not packed; `None` if it is not there.
    pub(super) fn get_loose(&self, id: ContentId) -> Result<Option<Vec<u8>>, Error> {
        match self.read_loose(id)? {
            Some(content) if id_of(&content) != Some(id) => Err(self.damaged(id)),
            content => Ok(content),
        }
    }

    /// The same without finding out whether another content stands there under its name, which takes longer than reading.
    pub(super) fn read_loose(&self, id: ContentId) -> Result<Option<Vec<u8>>, Error> {
        let (folder, name) = self.place(id);
        let path = || folder.path().join(&name);
        // Compressing adds a little where there is nothing to be saved.
        let longest = LARGEST + LARGEST / 100 + 1024;
        let Some(stream) = folder.read(&name, longest).map_err(|error| failed("read", &path())(error))? else {
            return Ok(None);
        };
        let mut content = match stored::read(&stream) {
            Some(stored) => stored.to_vec(),
            None => decompressed(&stream).map_err(|_| self.damaged(id))?,
        };
        let header_end = content.iter().position(|byte| *byte == 0).ok_or_else(|| self.damaged(id))? + 1;
        content.drain(..header_end);
        Ok(Some(content))
    }

    fn damaged(&self, id: ContentId) -> Error {
        Error::Damaged { journal: self.journal.path(), content: id }
    }

    /// Opens all packs.
    pub(super) fn packs(&self) -> Result<Packs, Error> {
        let path = self.folder.below("pack").path();
        let open = |name: String| Pack::open(&path.join(&name), name);
        Ok(Packs(self.pack_names()?.into_iter().map(open).collect()))
    }

    /// The packs' names, without an ending.
    fn pack_names(&self) -> Result<Vec<String>, Error> {
        let folder = self.folder.below("pack");
        let entries = folder.entries().map_err(failed("list", &folder.path()))?;
        let mut names: Vec<String> =
            entries.into_iter().filter_map(|entry| Some(entry.name.strip_suffix(".idx")?.to_owned())).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// True if there seem to be so many that are not packed. As git does it for itself, one folder of 256 stands for all.
    pub(super) fn seem_to_be(&self, many: usize) -> bool {
        self.folder.below("17").entries().is_ok_and(|entries| entries.len() > many / 256)
    }

    /// Every content that is not packed, with its length on disk and when it was written.
    pub(super) fn loose(&self) -> Result<Vec<(ContentId, u64, SystemTime)>, Error> {
        let mut found = Vec::new();
        for beginning in self.folders()? {
            let folder = self.folder.below(&beginning);
            for entry in folder.entries().map_err(failed("list", &folder.path()))? {
                if let Ok(id) = format!("{beginning}{}", entry.name).parse() {
                    found.push((id, entry.length, entry.written));
                }
            }
        }
        Ok(found)
    }

    /// Removes a content that is not packed.
    pub(super) fn remove_loose(&self, id: ContentId) -> Result<(), Error> {
        let (folder, name) = self.place(id);
        folder.remove(&name).map_err(failed("remove", &folder.path().join(name)))
    }

    /// Removes a pack.
    pub(super) fn remove_pack(&self, name: &str) -> Result<(), Error> {
        let folder = self.folder.below("pack");
        // Without its index a pack is not looked at.
        for ending in ["idx", "rev", "pack"] {
            let name = format!("{name}.{ending}");
            folder.remove(&name).map_err(failed("remove", &folder.path().join(&name)))?;
        }
        Ok(())
    }

    /// Makes the folder that git writes packs into.
    pub(super) fn ensure_packs(&self) -> Result<(), Error> {
        let folder = self.folder.below("pack");
        folder.ensure().map_err(failed("make", &folder.path()))
    }

    /// Removes what those left who died while they wrote.
    pub(super) fn remove_unfinished(&self) -> Result<(), Error> {
        for beginning in self.folders()? {
            remove_unfinished(&self.folder.below(&beginning));
        }
        remove_unfinished(&self.folder.below("pack"));
        remove_unfinished(&self.journal);
        Ok(())
    }

    /// The folders of loose contents.
    fn folders(&self) -> Result<Vec<String>, Error> {
        let entries = self.folder.entries().map_err(failed("list", &self.folder.path()))?;
        let is_one = |name: &String| name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(entries.into_iter().map(|entry| entry.name).filter(is_one).collect())
    }

    fn place(&self, id: ContentId) -> (PrivateFolder, String) {
        let mut hex = id.to_string();
        let rest = hex.split_off(2);
        (self.folder.below(&hex), rest)
    }
}

/// Removes files of a folder that somebody began to write long ago.
pub(super) fn remove_unfinished(folder: &PrivateFolder) {
    let Some(limit) = SystemTime::now().checked_sub(UNFINISHED) else { return };
    for name in folder.older_than(limit).unwrap_or_default() {
        let is_unfinished = (name.starts_with('.') && name.strip_suffix(".new").is_some()) || name.starts_with("tmp_");
        if is_unfinished {
            // The next upkeep tries again.
            let _ = folder.remove(&name);
        }
    }
}

/// Packs, opened.
pub(super) struct Packs(Vec<Pack>);

/// One pack.
pub(super) struct Pack {
    pub(super) name: String,
    path: PathBuf,
    /// Nothing if it cannot be read.
    bundle: Option<gix_pack::Bundle>,
}

impl Packs {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Pack> {
        self.0.iter()
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|pack| pack.name.clone()).collect()
    }

    /// A content; an error if each pack that has it is damaged.
    pub(super) fn get(&self, id: ContentId) -> Result<Option<Vec<u8>>, ()> {
        let mut found = Ok(None);
        for pack in &self.0 {
            match pack.get(id) {
                Ok(None) => {}
                Ok(Some(bytes)) => return Ok(Some(bytes)),
                Err(()) => found = Err(()),
            }
        }
        found
    }
}

impl Pack {
    fn open(path: &Path, name: String) -> Self {
        let bundle = gix_pack::Bundle::at(path.with_extension("idx"), gix_hash::Kind::Sha1).ok();
        Self { name, path: path.to_owned(), bundle }
    }

    pub(super) fn get(&self, id: ContentId) -> Result<Option<Vec<u8>>, ()> {
        let Some(bundle) = &self.bundle else { return Ok(None) };
        let (mut bytes, mut inflate) = (Vec::new(), gix_zlib::Inflate::default());
        let is_found =
            bundle.find(&id.0, &mut bytes, &mut inflate, &mut gix_pack::cache::Never).map_err(drop)?.is_some();
        if !is_found {
            return Ok(None);
        }
        if id_of(&bytes) == Some(id) { Ok(Some(bytes)) } else { Err(()) }
    }

    /// The contents in it; `None` if it cannot be read.
    pub(super) fn ids(&self) -> Option<Vec<ContentId>> {
        let bundle = self.bundle.as_ref()?;
        Some(bundle.index.iter().map(|entry| ContentId(entry.oid)).collect())
    }

    /// How much room it takes, in bytes.
    pub(super) fn length(&self) -> u64 {
        let length = |ending| std::fs::metadata(self.path.with_extension(ending)).map_or(0, |found| found.len());
        length("pack") + length("idx") + length("rev")
    }
}
