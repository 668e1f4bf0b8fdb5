//! A server to attack: filled without limits, then started again with the default ones.

use std::{fs, net::SocketAddr, path::PathBuf, process::Command};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::super::server::{self, Server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rejoin");

pub struct Site {
    server: Server,
    folder: PathBuf,
}

impl Site {
    /// Starts a server without limits, to be filled.
    pub fn unlimited() -> Self {
        let mut flags = vec!["--flood-limit", "off", "--login-limit", "off"];
        if knows("--storage-limit") {
            flags.extend(["--storage-limit", "1000GB"]);
        }
        Self::start(server::folder(), &flags, |_| {})
    }

    /// Restarts it with the default limits and further flags.
    pub fn limited(self, flags: &[&str]) -> Self {
        Self::start(self.server.stop(), flags, |_| {})
    }

    /// Starts a server with the default limits and an empty database.
    pub fn open() -> Self {
        Self::start(server::folder(), &[], |_| {})
    }

    /// Starts a server. Its log is beside its database.
    pub fn start(dir: TempDir, flags: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let folder = dir.path().to_owned();
        let mut command = server::pinned(PROGRAM);
        command.args([
            "--listen",
            "127.0.0.1:0",
            "--trusted-proxy",
            "127.0.0.1",
            "--database",
        ]);
        command.arg(folder.join("rejoin.db")).args(flags);
        command.stderr(
            fs::File::options()
                .create(true)
                .append(true)
                .open(folder.join("log"))
                .unwrap(),
        );
        prepare(&mut command);
        Self {
            server: Server::announced(command, dir),
            folder,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Resident memory in megabytes.
    pub fn memory(&self) -> f64 {
        self.server.memory() / 1e6
    }

    /// The bytes of its log so far.
    pub fn logged(&self) -> f64 {
        fs::metadata(self.folder.join("log")).unwrap().len() as f64
    }

    /// The megabytes of the database that are in use.
    pub fn stored(&self) -> f64 {
        let database = self.database();
        let pragma = |name: &str| {
            database
                .pragma_query_value(None, name, |row| row.get::<_, f64>(0))
                .unwrap()
        };
        (pragma("page_count") - pragma("freelist_count")) * pragma("page_size") / 1e6
    }

    /// The entries of the audit log so far.
    pub fn audited(&self) -> f64 {
        self.database()
            .query_row("SELECT count(*) FROM audit", [], |row| row.get(0))
            .unwrap()
    }

    fn database(&self) -> Connection {
        let database = self.folder.join("rejoin.db");
        let database =
            Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        database
            .busy_timeout(std::time::Duration::from_secs(5))
            .unwrap();
        database
    }

    /// Registers an app. Returns its client_id and its secret.
    pub fn register_app(&self) -> (String, String) {
        let mut command = Command::new(PROGRAM);
        command
            .args(["app", "add", "--name", "bench", "--json", "--database"])
            .arg(self.folder.join("rejoin.db"));
        let printed: serde_json::Value =
            serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        let text = |name: &str| printed[name].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }
}

/// Whether the program has a flag.
pub fn knows(flag: &str) -> bool {
    let help = Command::new(PROGRAM).arg("--help").output().unwrap().stdout;
    String::from_utf8_lossy(&help).contains(flag)
}
