//! The program itself, as a process that can be killed.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::{Device, Disk};

pub struct Process {
    child: Child,
    pub base: String,
}

impl Process {
    /// Starts the program on a database and waits for its first line.
    pub fn start(database: &Path, args: &[&str]) -> Self {
        Self::listening(database, "127.0.0.1:0", args)
    }

    pub fn listening(database: &Path, listen: &str, args: &[&str]) -> Self {
        Self::spawn(command(database, listen, args).stderr(Stdio::null()))
    }

    /// Starts the program and logs everything to a file. `prepare` adds to the command.
    pub fn prepared(database: &Path, log: &Path, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = command(database, "127.0.0.1:0", &[]);
        prepare(command.stderr(std::fs::File::create(log).unwrap()));
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let base = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("it said {line:?}"))
            .to_owned();
        Self { child, base }
    }

    /// Starts the program and logs everything to a file.
    pub fn logging(database: &Path, log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        Self::spawn(
            command(database, "127.0.0.1:0", &[])
                .env("RUST_LOG", "trace")
                .stderr(log),
        )
    }

    /// Starts the program on a disk that can be made to fail.
    pub fn on_disk(database: &Path, disk: &Disk) -> Self {
        let mut command = command(database, "127.0.0.1:0", &[]);
        Self::spawn(
            command
                .env("LD_PRELOAD", &disk.library)
                .env("FAULT", &disk.fault)
                .stderr(Stdio::null()),
        )
    }

    /// Starts the program with a limit of open files.
    pub fn limited(database: &Path, log: &Path, files: usize) -> Self {
        let program = command(database, "127.0.0.1:0", &[]);
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")]);
        shell.arg(program.get_program()).args(program.get_args());
        Self::spawn(shell.stderr(std::fs::File::create(log).unwrap()))
    }

    /// Starts the program and asserts that it refuses. Returns its standard error.
    pub fn refused(database: &Path, args: &[&str]) -> String {
        let listen = if args.contains(&"--listen") {
            vec![]
        } else {
            vec!["--listen", "127.0.0.1:0"]
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_rejoin"));
        let output = command
            .arg("--database")
            .arg(database)
            .args(listen)
            .args(args)
            .output()
            .unwrap();
        assert!(!output.status.success());
        assert!(
            output.stdout.is_empty(),
            "the program reported that it listens"
        );
        String::from_utf8(output.stderr).unwrap()
    }

    /// The number of its open files that are the database itself.
    pub fn open_files(&self, name: &str) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        files
            .filter_map(|file| std::fs::read_link(file.unwrap().path()).ok())
            .filter(|path| path.ends_with(name))
            .count()
    }

    /// The most memory that it has used so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Its threads: the name and the niceness of each (proc(5)).
    pub fn niceness(&self) -> Vec<(String, i64)> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let stats =
            tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap());
        let parse = |stat: String| {
            // The name is in brackets and may contain any character. The niceness is the 17th field
            // after it.
            let (name, rest) = stat.split_once('(').unwrap().1.rsplit_once(')').unwrap();
            (
                name.to_owned(),
                rest.split_whitespace().nth(16).unwrap().parse().unwrap(),
            )
        };
        stats.map(parse).collect()
    }

    /// Waits until exactly `count` held polls and streams are connected.
    pub async fn wait_for_connections(&self, count: usize) {
        self.device()
            .wait_for_metric(&format!("rejoin_connections {count}"))
            .await;
    }

    pub fn address(&self) -> SocketAddr {
        self.base.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// Sends SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM. Returns the exit status.
    pub fn terminate(self) -> std::process::ExitStatus {
        self.signal("TERM")
    }

    /// Sends a signal. Returns the exit status.
    pub fn signal(mut self, name: &str) -> std::process::ExitStatus {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
        self.child.wait().unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn device(&self) -> Device {
        Device::new(self.base.clone())
    }

    pub async fn create_session(&self, nick: &str) -> Device {
        Device::create_session(self.base.clone(), nick).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have been killed or stopped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives a copy of a database the key file that belongs to it.
pub fn copy_keys(database: &Path, copy: &Path) {
    std::fs::copy(
        database.with_extension("db.keys"),
        copy.with_extension("db.keys"),
    )
    .unwrap();
}

/// Runs an operator's subcommand in the folder of the database. Returns its output or its error.
pub async fn rejoin(database: &Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rejoin"));
    command
        .args(args)
        .arg("--database")
        .arg(database)
        .current_dir(database.parent().unwrap());
    // The server that the subcommand calls may run on this thread.
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

fn command(database: &Path, listen: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rejoin"));
    command
        .args(["--flood-limit", "off", "--listen", listen, "--database"])
        .arg(database)
        .args(args);
    command
}
