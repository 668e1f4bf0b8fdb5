//! Disks that fail on command, and small disks.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A library between the program and its disk: `disk.c`, which defines the faults by name.
#[derive(Clone)]
pub struct Disk {
    pub library: PathBuf,
    /// The file that names the current fault. Without a fault it does not exist.
    pub fault: PathBuf,
}

impl Disk {
    /// Builds the library in a folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            library: preload(folder, "disk"),
            fault: folder.join("fault"),
        }
    }

    pub fn fail(&self, fault: &str) {
        fs::write(&self.fault, fault).unwrap();
    }

    /// Ends the fault. Asserts that the program has met it.
    pub fn mend(&self) {
        fs::remove_file(&self.fault).unwrap();
        fs::remove_file(self.fault.with_extension("met")).expect("the program has met no fault");
    }
}

/// A disk of `bytes` bytes that holds one folder: `small_disk.c`.
pub struct SmallDisk {
    library: PathBuf,
    folder: PathBuf,
    bytes: u64,
}

impl SmallDisk {
    /// Makes a small disk of a folder. The library is built in another one.
    pub fn new(tools: &Path, folder: &Path, bytes: u64) -> Self {
        Self {
            library: preload(tools, "small_disk"),
            folder: folder.to_owned(),
            bytes,
        }
    }

    /// Makes a program use the disk.
    pub fn under(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library);
        command
            .env("DISK_FOLDER", &self.folder)
            .env("DISK_BYTES", self.bytes.to_string());
    }

    /// Fills the disk with a file.
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

    /// Removes that file.
    pub fn free(&self) {
        fs::remove_file(self.filling()).unwrap();
    }

    fn filling(&self) -> PathBuf {
        self.folder.join("something else")
    }
}

/// Compiles a library that is preloaded into the program.
pub fn preload(folder: &Path, name: &str) -> PathBuf {
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
