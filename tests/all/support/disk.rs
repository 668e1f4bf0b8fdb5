//! A disk that fails when it is told to.

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
        let library = folder.join("disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/support/disk.c");
        let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status().unwrap();
        assert!(made.success());
        Self { library, fault: folder.join("fault") }
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
