//! The files of a database, and who may open them: their owner alone.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// The bits of a mode that let anyone but the owner do something.
pub const OTHERS: u32 = 0o077;
/// The bits of a folder's mode that let others put files into it.
const OTHERS_WRITE: u32 = 0o022;

/// The file beside a database whose name ends with `suffix` too: `rejoin.db` has its lock in
/// `rejoin.db.lock`.
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    append(database, &format!(".{suffix}"))
}

/// SQLite's write-ahead log of a database, and its index.
pub fn write_ahead_log(database: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|suffix| append(database, suffix))
}

fn append(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The folder that a database lies in.
pub fn folder(database: &Path) -> &Path {
    database
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// The database that a path names in the end. A link and its target are one database, with one lock
/// and one socket.
pub fn resolve(database: &Path) -> PathBuf {
    let is_link = fs::symlink_metadata(database).is_ok_and(|file| file.is_symlink());
    let target = is_link.then(|| fs::canonicalize(database).ok()).flatten();
    target.unwrap_or_else(|| database.to_owned())
}

/// How our files are opened: made if missing, for their owner alone. A link in their place is not
/// followed, because the caller may be root, and a link could lead anywhere.
pub fn private() -> OpenOptions {
    let mut options = no_link();
    options.write(true).create(true).mode(0o600);
    options
}

/// How a file is opened that is no link; one that is a pipe keeps nobody waiting.
pub fn no_link() -> OpenOptions {
    to_read(OFlags::NOFOLLOW | OFlags::NONBLOCK)
}

/// How a file is opened that may be anything; one that is a pipe keeps nobody waiting.
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

/// Gives a new file to the owner of the database, where that is another: an operator may call a
/// subcommand as root, and the server must be able to open the file all the same.
pub fn share_owner(file: &File, database: &Path) {
    let (Ok(own), Ok(wanted)) = (file.metadata(), fs::metadata(database)) else {
        return;
    };
    if own.uid() == wanted.uid() {
        return;
    }
    if let Err(error) = std::os::unix::fs::fchown(file, Some(wanted.uid()), Some(wanted.gid())) {
        tracing::warn!(%error, "a file beside the database {} has another owner", database.display());
    }
}

/// Closes the files of a database to everyone but their owner, and says so. It only warns of what
/// it cannot or should not change by itself: files of another owner, and the folder. It is called
/// before SQLite opens the database, whose locks would go with the files that this opens and
/// closes. A key file that is open to others is an error of its own: whoever read it could forge
/// tokens (`key_file`).
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
            "others may put files into the folder {folder} of the database (mode {mode:04o}): \
             give the database a folder of its own, or run: chmod go-w '{folder}'"
        );
    }
}

/// Closes one file to everyone but its owner.
pub fn tighten(path: &Path) {
    // What is not there, and what is no file of ours, is left alone.
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
            "{name} was open to others (mode {mode:04o}); it is open to its owner alone now"
        ),
        Err(error) => tracing::warn!(
            %error,
            "{name} is open to others (mode {mode:04o}), and holds what they should not read; run: chmod go-rwx '{name}'"
        ),
    }
}
