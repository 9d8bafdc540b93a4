//! Entity tags: what tells whether a file is still the one that a client has.
//!
//! A tag is the hash of the bytes, so it is strong (RFC 9110 §8.8.1), and the same on all nodes and
//! after a deployment that has touched everything. It is kept for as long as the file has the same
//! stamp: a file that was changed a moment ago may be changed again without a new one, and is hashed
//! each time.

use std::fs::Metadata;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use blake2::{Blake2b128, Digest};
use headers::ETag;
use http::HeaderValue;
use moka::sync::Cache;

use super::folder::Opened;

/// Longer files are known by their stamps: to read all of them would take seconds.
const MOST_HASHED: u64 = 16 * 1024 * 1024;

/// So long after a change, another one gets another stamp. The times of FAT are the coarsest: 2 s.
const SETTLED: Duration = Duration::from_secs(2);

/// How many hashes are remembered, about 150 bytes each; those asked for least are forgotten.
const REMEMBERED: u64 = 16 * 1024;

/// One for the process: a file is the same one, whichever route sends it, and after a reload.
static HASHES: LazyLock<Cache<Stamp, Hash>> = LazyLock::new(|| Cache::new(REMEMBERED));

type Hash = [u8; 16];

/// What the system knows of a file and its last change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stamp {
    path: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    inode: Inode,
}

/// Also the time of the last change of any kind, which nobody can set back.
#[cfg(unix)]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Inode {
    device: u64,
    number: u64,
    changed: (i64, i64),
}

/// The tag of a file, as a header and as what is compared.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) header: HeaderValue,
    pub(super) tag: ETag,
    pub(super) is_strong: bool,
}

impl Tag {
    /// The tag of a file at the time `now`. It reads the file, unless it is known or long.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn of(opened: &Opened, now: SystemTime) -> io::Result<Self> {
        let stamp = Stamp::of(opened);
        let is_settled = stamp.is_settled(now);
        if stamp.length > MOST_HASHED {
            return Ok(Tag::new(stamp.hash(), is_settled));
        }
        let hash = match is_settled {
            true => HASHES
                .try_get_with(stamp, || hash(opened))
                .map_err(|error| io::Error::new(error.kind(), error))?,
            false => hash(opened)?,
        };
        Ok(Tag::new(hash, true))
    }

    fn new(hash: Hash, is_strong: bool) -> Self {
        let weak = if is_strong { "" } else { "W/" };
        let text = format!("{weak}\"{}\"", URL_SAFE_NO_PAD.encode(hash));
        Tag {
            tag: text.parse().expect("letters and digits make a tag"),
            header: HeaderValue::try_from(text).expect("letters and digits make a header"),
            is_strong,
        }
    }
}

impl Stamp {
    fn of(opened: &Opened) -> Self {
        let metadata = &opened.metadata;
        Stamp {
            path: opened.path.clone(),
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            inode: Inode::of(metadata),
        }
    }

    /// Whether a change after `now` would make another stamp.
    fn is_settled(&self, now: SystemTime) -> bool {
        #[cfg(unix)]
        let changed = self.inode.changed();
        #[cfg(not(unix))]
        let changed = self.modified;
        let age = changed.and_then(|changed| now.duration_since(changed).ok());
        age.is_some_and(|age| age >= SETTLED)
    }

    fn hash(&self) -> Hash {
        Blake2b128::digest(format!("{self:?}")).into()
    }
}

#[cfg(unix)]
impl Inode {
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;

        Inode {
            device: metadata.dev(),
            number: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn changed(&self) -> Option<SystemTime> {
        let seconds = Duration::from_secs(self.changed.0.try_into().ok()?);
        let nanoseconds = Duration::from_nanos(self.changed.1.try_into().ok()?);
        SystemTime::UNIX_EPOCH.checked_add(seconds + nanoseconds)
    }
}

fn hash(opened: &Opened) -> io::Result<Hash> {
    let mut file = &opened.file;
    let mut hash = Blake2b128::new();
    let mut chunk = vec![0; 64 * 1024];
    file.rewind()?;
    // No further than it was long: a file that grows for ever would be read for ever.
    let mut file = file.take(opened.metadata.len());
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(read) => hash.update(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::static_files::folder::{Folder, Found};

    fn opened(folder: &std::path::Path, name: &str) -> Opened {
        let folder = Folder {
            path: folder.to_path_buf(),
            follow_links: false,
        };
        match folder.open().unwrap().find(name.as_ref()).unwrap() {
            Found::File(opened) => opened,
            Found::Folder => panic!("`{name}` is a folder"),
        }
    }

    #[test]
    fn a_hash_is_remembered_only_when_another_change_would_show() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "milk").unwrap();
        let opened = opened(folder.path(), "a");
        let (stamp, now) = (Stamp::of(&opened), SystemTime::now());

        let at_once = Tag::of(&opened, now).unwrap();
        assert!(at_once.is_strong && !HASHES.contains_key(&stamp));

        let later = Tag::of(&opened, now + SETTLED + SETTLED).unwrap();
        assert!(later.is_strong && HASHES.contains_key(&stamp));
        let again = Tag::of(&opened, now + SETTLED + SETTLED).unwrap();
        for tag in [later, again] {
            assert_eq!(tag.header, at_once.header);
        }
    }

    #[test]
    fn a_long_file_has_a_strong_tag_once_another_change_would_show() {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(folder.path().join("a")).unwrap();
        file.set_len(MOST_HASHED + 1).unwrap();
        let opened = opened(folder.path(), "a");
        let now = SystemTime::now();

        assert!(!Tag::of(&opened, now).unwrap().is_strong);
        let later = Tag::of(&opened, now + SETTLED + SETTLED).unwrap();
        assert!(later.is_strong && !HASHES.contains_key(&Stamp::of(&opened)));
    }
}
