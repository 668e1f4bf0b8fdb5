//! Servers as separate processes: started, waited for, measured and stopped.

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

/// The processor that servers run on. The load comes from the other one.
const SERVERS: usize = 0;
const LOAD: usize = 1;

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// The folder with its files.
    dir: TempDir,
}

impl Server {
    /// Starts Rejoin with an empty database and without the limits that would slow down a load.
    pub fn rejoin() -> Self {
        Self::rejoin_in(folder())
    }

    /// Starts Rejoin on the database `rejoin.db` in a folder.
    pub fn rejoin_in(dir: TempDir) -> Self {
        Self::build_of_rejoin(env!("CARGO_BIN_EXE_rejoin").as_ref(), dir)
    }

    /// Starts a build of Rejoin, this one or another, on the database `rejoin.db` in a folder.
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

    /// Starts one of this program's own peers.
    pub fn peer(name: &str, args: &[&str]) -> Self {
        let mut command = pinned(std::env::current_exe().unwrap());
        command.args(["--peer", name]).args(args);
        Self::announced(command, folder())
    }

    /// Starts a server that prints its address on its first line.
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

    /// Starts a server that prints nothing, and waits until it accepts connections. `None` if it
    /// ends before.
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

    /// The bytes that it has written to disk so far, including those still in the system's cache.
    pub fn written(&self) -> f64 {
        self.kilobytes("io", "write_bytes:")
    }

    /// The processor time that it has used so far, in seconds. proc(5) gives hundredths, after the
    /// name in brackets.
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

    /// Stops it as an operator would, and returns its folder.
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

/// A folder on the disk and not in memory, so that a full sync has its real cost.
pub fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A command that runs on the servers' processor.
pub fn pinned(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &SERVERS.to_string()]).arg(program);
    command
}

/// The path of a program of Debian's, if it is installed.
pub fn installed(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
}

/// Raises the limit of open files, because ten thousand connections need as many.
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

/// Moves this process to the other processor, if there is one.
pub fn leave_processor_to_servers() {
    let mut set = CpuSet::new();
    set.set(LOAD);
    if sched_setaffinity(None, &set).is_err() {
        eprintln!("there is one processor: load and servers share it");
    }
}
