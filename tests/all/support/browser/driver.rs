//! The one ChromeDriver of this process, and the watcher that ends it and its browsers however the
//! process ends.

use std::{
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use tokio::runtime::{Builder, Runtime};

/// The attempts to start the driver. Another program sometimes takes the port that the system
/// picked before the driver binds all of its sockets.
const STARTS: usize = 5;

/// The watcher's script. Its standard input ends when this process ends, in whatever way. Then it
/// kills the driver with all browsers, and removes their profiles when no browser writes to them
/// any more.
const WATCH: &str = r#"read -r _
kill -9 "-$1"
tries=0
while kill -0 "-$1" 2>/dev/null && [ $tries -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
rm -rf "$2""#;

/// The runtime of the connections to browsers. A browser outlives the runtime of the test that
/// opened it.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
});

pub static DRIVER: LazyLock<Driver> = LazyLock::new(Driver::start);

pub struct Driver {
    pub url: String,
    /// The folder of the browsers' profiles.
    pub profiles: PathBuf,
    /// The watcher's standard input ends with this process. Nothing is ever written to it.
    _watcher: Child,
}

impl Driver {
    fn start() -> Self {
        let (process, port) = (0..STARTS)
            .find_map(|_| Self::try_start())
            .expect("chromedriver starts");
        let profiles = tempfile::tempdir().unwrap().keep();
        let watcher = Command::new("sh")
            .args(["-c", WATCH, "watcher", &process.id().to_string()])
            .arg(&profiles)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal from the keyboard goes to the whole process group, and it must not end the
            // watcher.
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            url: format!("http://127.0.0.1:{port}"),
            profiles,
            _watcher: watcher,
        }
    }

    /// Starts the driver. Returns the driver and its port, or `None` if it gave up.
    fn try_start() -> Option<(Child, u16)> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // The driver leads a process group that includes its browsers.
            .process_group(0)
            .spawn()
            .expect("chromedriver is installed by tests/run");
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let port = output
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split("started successfully on port ").nth(1)?;
                port.trim_end_matches('.').parse().ok()
            });
        match port {
            Some(port) => {
                // The output of the driver and its browsers must be read, or a full pipe would
                // block them.
                std::thread::spawn(move || io::copy(&mut output, &mut io::sink()));
                Some((process, port))
            }
            None => {
                let _ = process.wait();
                None
            }
        }
    }
}
