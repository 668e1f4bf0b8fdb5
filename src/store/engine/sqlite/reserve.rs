//! The reserve: a file beside the database that keeps room on the disk. When the disk is full, the
//! reserve is given up step by step, so that another program that fills the disk can take only one
//! step at a time.
//!
//! Its bytes are really written, because a file system may keep no room for a sparse file. They do
//! not compress.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write as _},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::store::engine::files;

/// The bytes of the whole reserve.
pub const SIZE: u64 = 16 << 20;
/// The bytes that are given up at a time.
pub const STEP: u64 = 1 << 20;
/// A disk with this many free bytes is not full: no transaction needs more.
pub const ENOUGH: u64 = 4 << 20;

/// The reserve of a database.
pub struct Reserve {
    path: PathBuf,
    database: PathBuf,
    size: u64,
}

impl Reserve {
    /// The reserve of a database, as far as it exists.
    pub fn of(database: &Path) -> Self {
        let path = files::beside(database, "reserve");
        let kept = |file: fs::Metadata| {
            if file.blocks() * 512 < file.len() {
                0
            } else {
                file.len().min(SIZE)
            }
        };
        let size = fs::symlink_metadata(&path)
            .ok()
            .filter(fs::Metadata::is_file)
            .map_or(0, kept);
        Self {
            path,
            database: database.to_owned(),
            size,
        }
    }

    /// The bytes that it keeps now.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes the reserve whole if the disk has room for it and for `beside` more bytes. Returns
    /// whether it had. Fails if the reserve cannot be written for another reason.
    pub fn take(&mut self, beside: u64) -> io::Result<bool> {
        self.grow(SIZE, beside)
    }

    /// Whether the disk has enough room beside the reserve. Fails if that cannot be determined.
    pub fn has_room_beside(&mut self) -> io::Result<bool> {
        self.grow(self.size, ENOUGH)
    }

    /// Gives one step of the reserve back to the disk.
    pub fn give_up(&mut self) {
        let left = self.size.saturating_sub(STEP);
        let shrunk = files::no_link()
            .write(true)
            .open(&self.path)
            .and_then(|file| {
                file.set_len(left)?;
                // Some file systems free the room only when that was synced.
                file.sync_all()
            });
        self.size = if shrunk.is_ok() { left } else { 0 };
        if shrunk.is_err() {
            // A file system may have no room to shorten a file, and yet remove it.
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Changes the reserve's size, if the disk has `beside` more bytes of room then.
    fn grow(&mut self, size: u64, beside: u64) -> io::Result<bool> {
        let wanted = size + beside - self.size;
        let folder = rustix::fs::statvfs(files::folder(&self.path))?;
        if folder.f_bavail.saturating_mul(folder.f_frsize) < wanted {
            return Ok(false);
        }
        let file = match files::private().truncate(false).open(&self.path) {
            Err(error) if is_full(&error) => return Ok(false),
            opened => opened?,
        };
        files::share_owner(&file, &self.database);
        let written = file
            .set_len(self.size)
            .and_then(|()| fill(&file, self.size, wanted));
        let whole = if written.is_ok() { size } else { self.size };
        // The bytes that were written beside the reserve are freed again, and so is an incomplete
        // reserve. A file system may have no room to shorten a file.
        let written = file.set_len(whole).and(written);
        self.size = if written.is_ok() { whole } else { self.size };
        match written {
            Err(error) if !is_full(&error) => Err(error),
            written => Ok(written.is_ok()),
        }
    }
}

/// Writes bytes at a position.
fn fill(mut file: &File, at: u64, mut bytes: u64) -> io::Result<()> {
    // Marsaglia's xorshift: no part of a step repeats another, so that the bytes do not compress.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_ne_bytes()
    };
    let step = (0..STEP / 8).flat_map(|_| next()).collect::<Vec<_>>();
    file.seek(SeekFrom::Start(at))?;
    while bytes > 0 {
        let length = bytes.min(STEP);
        file.write_all(&step[..usize::try_from(length).unwrap_or(step.len())])?;
        bytes -= length;
    }
    Ok(())
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_reserve_takes_room_on_the_disk_and_gives_it_up_step_by_step() {
        let dir = tempfile::tempdir().unwrap();
        let (database, file) = (dir.path().join("r.db"), dir.path().join("r.db.reserve"));
        let mut reserve = Reserve::of(&database);
        assert!(
            reserve.size() == 0 && reserve.has_room_beside().unwrap() && reserve.take(0).unwrap()
        );
        let metadata = file.metadata().unwrap();
        assert_eq!(
            (metadata.len(), metadata.permissions().mode() & 0o777),
            (SIZE, 0o600)
        );
        assert!(
            metadata.blocks() * 512 >= SIZE,
            "the file system keeps room for all of it"
        );
        for steps in 1..=SIZE / STEP {
            reserve.give_up();
            assert_eq!(
                (reserve.size(), file.metadata().unwrap().len()),
                (SIZE - steps * STEP, reserve.size())
            );
        }
        reserve.give_up();
        assert_eq!(reserve.size(), 0);
        assert!(reserve.take(STEP).unwrap());
        assert_eq!(Reserve::of(&database).size(), SIZE);
    }

    #[test]
    fn a_file_that_takes_no_room_does_not_count_as_a_reserve() {
        let dir = tempfile::tempdir().unwrap();
        let (database, file) = (dir.path().join("r.db"), dir.path().join("r.db.reserve"));
        File::create(&file).unwrap().set_len(SIZE).unwrap();
        let mut reserve = Reserve::of(&database);
        assert_eq!(reserve.size(), 0);
        assert!(reserve.take(0).unwrap());
        assert!(file.metadata().unwrap().blocks() * 512 >= SIZE);
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (database, other) = (dir.path().join("r.db"), dir.path().join("other"));
        fs::write(&other, "somebody's").unwrap();
        std::os::unix::fs::symlink(&other, dir.path().join("r.db.reserve")).unwrap();
        assert!(Reserve::of(&database).take(0).is_err());
        assert_eq!(fs::read(&other).unwrap(), b"somebody's");
    }
}
