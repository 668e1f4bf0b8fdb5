//! The files of a database. Only their owner may open them.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// The bits of a file's mode that give others any access.
pub const OTHERS: u32 = 0o077;
/// The bits of a folder's mode that let others put files into it.
const OTHERS_WRITE: u32 = 0o022;

/// The file beside a database with this suffix: the lock of `rejoin.db` is `rejoin.db.lock`.
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    append(database, &format!(".{suffix}"))
}

/// The paths of a database's write-ahead log and of the log's index.
pub fn write_ahead_log(database: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|suffix| append(database, suffix))
}

fn append(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The folder of a database.
pub fn folder(database: &Path) -> &Path {
    database
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// The path of the database itself, with links resolved. A link and its target are one database,
/// with one lock and one socket.
pub fn resolve(database: &Path) -> PathBuf {
    let is_link = fs::symlink_metadata(database).is_ok_and(|file| file.is_symlink());
    let target = is_link.then(|| fs::canonicalize(database).ok()).flatten();
    target.unwrap_or_else(|| database.to_owned())
}

/// Options to open or create one of our files, with mode 0600. A link in its place is not followed,
/// because the caller may be root and a link may lead anywhere.
pub fn private() -> OpenOptions {
    let mut options = no_link();
    options.write(true).create(true).mode(0o600);
    options
}

/// Options to read a file, but no link. A pipe does not block.
pub fn no_link() -> OpenOptions {
    to_read(OFlags::NOFOLLOW | OFlags::NONBLOCK)
}

/// Options to read a file or the target of a link. A pipe does not block.
pub fn at_once() -> OpenOptions {
    to_read(OFlags::NONBLOCK)
}

fn to_read(flags: OFlags) -> OpenOptions {
    let mut options = File::options();
    options
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    options
}

/// Gives a new file the owner of the database, if that is another user. An operator may run a
/// subcommand as root, and the server must be able to open the file all the same.
pub fn share_owner(file: &File, database: &Path) {
    let (Ok(own), Ok(wanted)) = (file.metadata(), fs::metadata(database)) else {
        return;
    };
    if own.uid() == wanted.uid() {
        return;
    }
    if let Err(error) = std::os::unix::fs::fchown(file, Some(wanted.uid()), Some(wanted.gid())) {
        tracing::warn!(%error, "a file beside the database {} could not be given the owner of the \
            database, so the server may be unable to open it", database.display());
    }
}

/// Removes the access of others to the files of a database, and logs it. It only warns of what it
/// cannot or should not change: files of another owner, and the folder. It must be called before
/// SQLite opens the database, because closing these files would release SQLite's locks. A key file
/// that others can read is an error instead, because a reader could forge tokens (`key_file`).
pub fn close_to_others(database: &Path) {
    let [wal, shm] = write_ahead_log(database);
    for file in [database.to_owned(), wal, shm, beside(database, "lock")] {
        tighten(&file);
    }
    let folder = folder(database);
    if let Ok(metadata) = fs::metadata(folder)
        && metadata.mode() & OTHERS_WRITE != 0
    {
        let (folder, mode) = (folder.display(), metadata.mode() & 0o7777);
        tracing::warn!(
            "other users may write to the folder {folder} of the database (mode {mode:04o}): give \
             the database a folder of its own, or run: chmod go-w '{folder}'"
        );
    }
}

/// Removes the access of others to one file, and logs it.
pub fn tighten(path: &Path) {
    // A path without a file, or with something other than a regular file, is left alone.
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return;
    };
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() || mode & OTHERS == 0 {
        return;
    }
    let name = path.display();
    let closed = no_link()
        .open(path)
        .and_then(|file| file.set_permissions(fs::Permissions::from_mode(mode & !OTHERS)));
    match closed {
        Ok(()) => tracing::warn!(
            "{name} was open to other users (mode {mode:04o}); now only its owner can access it"
        ),
        Err(error) => tracing::warn!(
            %error,
            "{name} is open to other users (mode {mode:04o}) and contains private data; run: chmod \
             go-rwx '{name}'"
        ),
    }
}
