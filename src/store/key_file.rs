//! The key file beside a database: created at the first start, and checked at every later one.
//!
//! The database holds the fingerprints of its own key files. A server therefore never runs with the
//! keys of another database, or without keys. During a rotation the database accepts both the
//! previous key file and the new one.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    device_code,
    engine::{connection::Row, files, value::params},
    transaction::{Read, Write},
};
use crate::{
    error::{Code, Error, Result},
    model::Timestamp,
    secret::{
        KeyId, KeyRing,
        keys::{Fingerprint, MAX_KEYS},
    },
};

/// The most bytes of a key file that are read.
const SIZE_LIMIT: u64 = 1 << 20;

/// Opens the key file of a database whose server is about to start, or creates it at the first
/// start. Fails with `internal_error` if the file is missing, foreign, outdated or unreadable.
pub fn open(tx: &Write, file: &Path, now: Timestamp) -> Result<KeyRing> {
    let known = known(tx)?;
    if known.is_empty() {
        // User codes from before there were key files were hashed with a key that is gone.
        device_code::end_undecided(tx, now)?;
    }
    match read(file) {
        Ok(ring) => match Relation::of(&ring, &known) {
            Relation::Own(until) if until.is_none_or(|until| now < until) => Ok(ring),
            Relation::Own(_) | Relation::Older => Err(refuse(
                file,
                "is from before a rotation: replace it with the newer key file",
            )),
            // The database is a copy that was made before a rotation.
            Relation::Newer => {
                tx.execute("DELETE FROM key_file", &[])?;
                remember(tx, &ring).map(|()| ring)
            }
            Relation::Foreign if known.is_empty() => remember(tx, &ring).map(|()| ring),
            Relation::Foreign => Err(refuse(
                file,
                "does not belong to this database: replace it with the database's own key file. If \
                 that is lost, run `rejoin keys accept` to use this key file from now on",
            )),
        },
        Err(Unread::Missing) if known.is_empty() => {
            let ring = KeyRing::generate()?;
            create(file, &ring)?;
            tracing::info!(file = %file.display(), "key file created: keep a copy of it, apart from the backups");
            remember(tx, &ring).map(|()| ring)
        }
        Err(Unread::Missing) => Err(refuse(
            file,
            "is missing, and this database was used with a key file: put it back from your copy, or \
             name its path with --keys. If it is lost, run `rejoin keys create` and then `rejoin \
             keys accept`",
        )),
        Err(Unread::Wrong(why)) => Err(refuse(file, why)),
    }
}

/// A key file that the database accepts.
struct Known {
    fingerprint: Fingerprint,
    lineage: String,
    generation: u32,
    /// Once there is a newer one: until when a server may start with this one.
    until: Option<Timestamp>,
}

/// How a key file relates to a database.
enum Relation {
    Own(Option<Timestamp>),
    Older,
    Newer,
    Foreign,
}

impl Relation {
    fn of(ring: &KeyRing, known: &[Known]) -> Self {
        if let Some(own) = known
            .iter()
            .find(|known| known.fingerprint == ring.fingerprint())
        {
            return Self::Own(own.until);
        }
        let (lineage, generation) = ring.descent();
        let newest = known
            .iter()
            .filter(|known| known.lineage == lineage)
            .map(|known| known.generation)
            .max();
        match newest {
            Some(newest) if generation > newest => Self::Newer,
            Some(newest) if generation < newest => Self::Older,
            _ => Self::Foreign,
        }
    }
}

/// Why a key file could not be read.
pub enum Unread {
    /// There is no such file.
    Missing,
    /// The file cannot be used. The text says why; it follows the name of the file in the error.
    Wrong(String),
}

impl Unread {
    /// The error that says why `file` cannot be used (`internal_error`).
    pub fn into_error(self, file: &Path) -> Error {
        match self {
            Self::Missing => refuse(file, "is missing"),
            Self::Wrong(why) => refuse(file, why),
        }
    }
}

/// Reads a key file. The file must be accessible to its owner alone.
pub fn read(file: &Path) -> Result<KeyRing, Unread> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Wrong(format!("cannot be read: {error}")),
    };
    // A link is followed: systems that hand secrets to programs use links.
    let opened = fs::File::open(file).map_err(cannot)?;
    let metadata = opened.metadata().map_err(cannot)?;
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() {
        return Err(Unread::Wrong("is not a regular file".into()));
    }
    if mode & files::OTHERS != 0 {
        let name = file.display();
        let why = format!(
            "is open to other users (mode {mode:04o}), who could forge tokens with it: run chmod 600 \
             '{name}', and also `rejoin keys rotate --at-once` if someone may have read it"
        );
        return Err(Unread::Wrong(why));
    }
    let mut text = String::new();
    opened
        .take(SIZE_LIMIT)
        .read_to_string(&mut text)
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Unread::Wrong("is damaged, or no key file".into()),
            _ => cannot(error),
        })?;
    KeyRing::parse(&text).map_err(Unread::Wrong)
}

/// Creates a key file, whole or not at all. Fails with `internal_error` if the file exists.
pub fn create(file: &Path, ring: &KeyRing) -> Result<()> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => refuse(file, "already exists and was not changed"),
        _ => refuse(file, format!("cannot be created: {error}")),
    };
    let draft = write_beside(file, ring).map_err(|error| cannot_write(file, &error))?;
    let linked = fs::hard_link(&draft, file);
    // The draft is not needed any more, whether or not the link was made.
    let _ = fs::remove_file(&draft);
    linked.and_then(|()| sync_folder(file)).map_err(cannot)
}

/// Replaces the keys in a key file, in one step.
pub fn replace(file: &Path, ring: &KeyRing) -> Result<()> {
    let cannot = |error: io::Error| cannot_write(file, &error);
    let file = &fs::canonicalize(file).map_err(cannot)?;
    let draft = write_beside(file, ring).map_err(cannot)?;
    fs::rename(&draft, file)
        .and_then(|()| sync_folder(file))
        .map_err(cannot)
}

/// Writes and syncs a draft of a key file, with mode 0600.
fn write_beside(file: &Path, ring: &KeyRing) -> io::Result<PathBuf> {
    let draft = files::beside(file, "new");
    // A crash may have left an older draft.
    let _ = fs::remove_file(&draft);
    let mut written = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    files::share_owner(&written, file);
    let text = ring
        .to_text()
        .map_err(|error| io::Error::other(error.detail))?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    Ok(draft)
}

/// Syncs the folder of a file, so that the file's new name survives a crash.
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

fn refuse(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(
        Code::InternalError,
        format!("the key file {} {why}", file.display()),
    )
}

fn cannot_write(file: &Path, error: &io::Error) -> Error {
    refuse(file, format!("cannot be written: {error}"))
}

fn known(tx: &Read) -> Result<Vec<Known>> {
    let known = |row: &Row| {
        Ok(Known {
            fingerprint: Fingerprint(row.get("fingerprint")?),
            lineage: row.get("lineage")?,
            generation: row.get("generation")?,
            until: row.get("until")?,
        })
    };
    tx.all(
        "SELECT fingerprint, lineage, generation, until FROM key_file",
        &[],
        known,
    )
}

fn remember(tx: &Write, ring: &KeyRing) -> Result<()> {
    let (lineage, generation) = ring.descent();
    tx.execute(
        "INSERT INTO key_file (fingerprint, lineage, generation) VALUES (?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
        params![ring.fingerprint().0, lineage, generation],
    )?;
    Ok(())
}

/// Fails with `internal_error` unless the key file is the newest of this database.
pub fn require_newest(tx: &Read, file: &Path, ring: &KeyRing) -> Result<()> {
    match Relation::of(ring, &known(tx)?) {
        Relation::Own(None) | Relation::Newer => Ok(()),
        Relation::Own(Some(_)) | Relation::Older => Err(refuse(file, "is from before a rotation")),
        Relation::Foreign => Err(refuse(file, "does not belong to this database")),
    }
}

/// Whether a key file is the newest of this database.
pub fn is_newest(tx: &Read, ring: &KeyRing) -> Result<bool> {
    let relation = Relation::of(ring, &known(tx)?);
    Ok(matches!(relation, Relation::Own(None) | Relation::Newer))
}

/// Makes the database accept a key file besides those it accepts already.
pub fn accept(tx: &Write, ring: &KeyRing) -> Result<()> {
    remember(tx, ring)
}

/// Makes this key file the database's newest. `before` is accepted too, until the time given with
/// it. All others are forgotten.
pub fn settle(tx: &Write, ring: &KeyRing, before: Option<(&KeyRing, Timestamp)>) -> Result<()> {
    let (before, until) = before.map_or((None, None), |(ring, until)| {
        (Some(ring.fingerprint().0), Some(until.0))
    });
    tx.execute(
        "DELETE FROM key_file WHERE fingerprint != ?1 AND fingerprint IS DISTINCT FROM ?2",
        params![ring.fingerprint().0, before],
    )?;
    tx.execute(
        "UPDATE key_file SET until = CASE WHEN fingerprint = ?1 THEN NULL ELSE CAST(?2 AS BIGINT) END",
        params![ring.fingerprint().0, until],
    )?;
    accept(tx, ring)
}

/// Makes this key file the only one of the database, in place of one that is lost. Undecided device
/// codes expire, because their user codes cannot be found any more.
pub fn adopt(tx: &Write, ring: &KeyRing, due: Timestamp) -> Result<()> {
    device_code::end_undecided(tx, due)?;
    settle(tx, ring, None)
}

/// The keys on which something in the database still depends.
pub fn needed(tx: &Read) -> Result<Vec<KeyId>> {
    tx.all(
        "SELECT key FROM device_code WHERE key IS NOT NULL
         UNION
         SELECT derived_by FROM token WHERE derived_by IS NOT NULL AND settled_at IS NULL
         LIMIT ?1",
        params![MAX_KEYS],
        |row| row.get(0),
    )
}
