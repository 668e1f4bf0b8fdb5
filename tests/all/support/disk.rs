//! Disks that fail when they are told to, and disks that are small.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What stands between the program and its disk: `disk.c`, which knows the faults by name.
#[derive(Clone)]
pub struct Disk {
    pub library: PathBuf,
    /// Names the fault while there is one.
    pub fault: PathBuf,
}

impl Disk {
    /// Makes one in a folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            library: library(folder, "disk"),
            fault: folder.join("fault"),
        }
    }

    pub fn fail(&self, fault: &str) {
        fs::write(&self.fault, fault).unwrap();
    }

    /// Ends the fault, which the program must have met.
    pub fn mend(&self) {
        fs::remove_file(&self.fault).unwrap();
        fs::remove_file(self.fault.with_extension("met")).expect("nothing has failed");
    }
}

/// A disk of so many bytes, with one folder on it: `small_disk.c`.
pub struct SmallDisk {
    library: PathBuf,
    folder: PathBuf,
    bytes: u64,
}

impl SmallDisk {
    /// Makes one of a folder; what it is made with is in another.
    pub fn new(tools: &Path, folder: &Path, bytes: u64) -> Self {
        Self {
            library: library(tools, "small_disk"),
            folder: folder.to_owned(),
            bytes,
        }
    }

    /// Has a program live with it.
    pub fn under(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library);
        command
            .env("DISK_FOLDER", &self.folder)
            .env("DISK_BYTES", self.bytes.to_string());
    }

    /// Something else takes all the room that is left.
    pub fn fill(&self) {
        let file = fs::File::options()
            .create(true)
            .append(true)
            .open(self.filling())
            .unwrap();
        let used: u64 = fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        file.set_len(file.metadata().unwrap().len() + self.bytes.saturating_sub(used))
            .unwrap();
    }

    /// And leaves it.
    pub fn free(&self) {
        fs::remove_file(self.filling()).unwrap();
    }

    fn filling(&self) -> PathBuf {
        self.folder.join("something else")
    }
}

/// What is preloaded into the program, made of its source.
fn library(folder: &Path, name: &str) -> PathBuf {
    let library = folder.join(format!("{name}.so"));
    let source = format!("{}/tests/all/support/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .status()
        .unwrap();
    assert!(made.success());
    library
}
