//! Servers as processes of their own: started, waited for, looked at, ended.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_setaffinity},
};
use tempfile::TempDir;

/// The processor that servers run on, and the one the load comes from.
const SERVERS: usize = 0;
const LOAD: usize = 1;

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// What it keeps on disk.
    dir: TempDir,
}

impl Server {
    /// Rejoin, with an empty database and without the limits that would hold up a load.
    pub fn rejoin() -> Self {
        Self::rejoin_in(folder())
    }

    /// Rejoin on the database `rejoin.db` in a folder.
    pub fn rejoin_in(dir: TempDir) -> Self {
        Self::build_of_rejoin(env!("CARGO_BIN_EXE_rejoin").as_ref(), dir)
    }

    /// A build of Rejoin, this one or another, on the database `rejoin.db` in a folder.
    pub fn build_of_rejoin(program: &Path, dir: TempDir) -> Self {
        let mut command = pinned(program);
        command.args([
            "--listen",
            "127.0.0.1:0",
            "--flood-limit",
            "off",
            "--login-limit",
            "off",
            "--storage-limit",
            "off",
            "--database",
        ]);
        command
            .arg(dir.path().join("rejoin.db"))
            .env("RUST_LOG", "error");
        Self::announced(command, dir)
    }

    /// One of this program's own peers.
    pub fn peer(name: &str, args: &[&str]) -> Self {
        let mut command = pinned(std::env::current_exe().unwrap());
        command.args(["--peer", name]).args(args);
        Self::announced(command, folder())
    }

    /// A server that says on its first line where it listens.
    pub fn announced(mut command: Command, dir: TempDir) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .unwrap_or_else(|| panic!("it said {line:?}"));
        Self {
            child,
            address: address.parse().unwrap(),
            dir,
        }
    }

    /// A server that says nothing, once it accepts connections; `None` if it ends before it does.
    pub fn accepting(mut command: Command, address: SocketAddr, dir: TempDir) -> Option<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        while std::net::TcpStream::connect(address).is_err() {
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::yield_now();
        }
        Some(Self {
            child,
            address,
            dir,
        })
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> f64 {
        self.kilobytes("status", "VmRSS:") * 1024.0
    }

    /// Bytes that it had written to disk so far, those still in the system's cache included.
    pub fn written(&self) -> f64 {
        self.kilobytes("io", "write_bytes:")
    }

    /// Seconds that processors have worked for it so far (proc(5): in hundredths, after the name in
    /// brackets).
    pub fn worked(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        fields
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<f64>().unwrap() / 100.0)
            .sum()
    }

    fn kilobytes(&self, file: &str, field: &str) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Ends it as an operator would, and hands back what it kept.
    pub fn stop(mut self) -> TempDir {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.dir, folder())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder on the disk, not in memory: a full sync is to cost what it costs.
pub fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A command that runs on the servers' processor.
pub fn pinned(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &SERVERS.to_string()]).arg(program);
    command
}

/// Where a program of Debian's is, if it is there.
pub fn installed(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
}

/// Ten thousand connections are as many open files.
pub fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )
    .unwrap();
}

/// Takes this process to the other processor, where there is one.
pub fn leave_processor_to_servers() {
    let mut set = CpuSet::new();
    set.set(LOAD);
    if sched_setaffinity(None, &set).is_err() {
        eprintln!("there is one processor: load and servers share it");
    }
}
