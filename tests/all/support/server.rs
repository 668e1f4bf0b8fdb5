//! A server in this process, started and stopped as the program does it, with a clock that is moved
//! by hand.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use clap::Parser;
use rejoin::{
    chat::Chat,
    config::{Config, Patience},
    control::ControlSocket,
    http::Server,
    model::{Clock, Timestamp},
    session::Core,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::Device;

/// Where every test's time begins.
const START: i64 = 1_795_000_000_000;

pub struct TestServer {
    pub address: SocketAddr,
    /// Kept over a restart, so that nobody else gets the port in between.
    listener: std::net::TcpListener,
    args: Vec<String>,
    patience: Patience,
    dir: Arc<TempDir>,
    /// Milliseconds since [`START`], and by how many the clock on the wall was set wrong.
    passed: Arc<AtomicI64>,
    wrong: Arc<AtomicI64>,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
    /// Of the running one.
    chat: Weak<Chat>,
}

impl TestServer {
    /// A server with an empty database, and without the limit on commands a second.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with further flags.
    pub async fn with(args: &[&str]) -> Self {
        Self::with_patience(args, Patience::default()).await
    }

    /// The same with other time-outs of connections.
    pub async fn with_patience(args: &[&str], patience: Patience) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let (passed, wrong) = Default::default();
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = Self {
            address,
            listener,
            args,
            patience,
            dir,
            passed,
            wrong,
            running: None,
            chat: Weak::new(),
        };
        server.run().await;
        server
    }

    pub fn database(&self) -> PathBuf {
        self.dir.path().join("rejoin.db")
    }

    /// How many rows there are of a table, or of one and a condition.
    pub fn rows(&self, table: &str) -> i64 {
        let database = rusqlite::Connection::open(self.database()).unwrap();
        database
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The running server's core, for what the operator does to it.
    pub fn core(&self) -> Arc<Core> {
        self.chat().core.clone()
    }

    /// The running server's chat, for what the operator does to it.
    pub fn chat(&self) -> Arc<Chat> {
        self.chat.upgrade().unwrap()
    }

    /// The time on the wall.
    pub fn now(&self) -> Timestamp {
        Timestamp(START + self.passed.load(Ordering::Relaxed) + self.wrong.load(Ordering::Relaxed))
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.passed
            .fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Sets the clock on the wall so many seconds forward, or back; no time passes by that.
    pub fn set_clock(&self, seconds: i64) {
        self.wrong.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    /// Stops the server as SIGTERM does; what was accepted is committed.
    pub async fn stop(&mut self) {
        let (stop, server) = self.running.take().unwrap();
        stop.send(true).unwrap();
        server.await.unwrap();
    }

    /// Stops the server and starts it on the same database and the same port.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.run().await;
    }

    /// Starts it again after `stop`.
    pub async fn run(&mut self) {
        let database = self.database().display().to_string();
        let listen = self.address.to_string();
        let mut args = ["rejoin", "--database", &database, "--listen", &listen]
            .map(str::to_owned)
            .to_vec();
        if !self.args.contains(&"--flood-limit".to_owned()) {
            args.extend(["--flood-limit", "off"].map(str::to_owned));
        }
        let config = Config {
            patience: self.patience,
            ..Config::parse_from(args.iter().chain(&self.args))
        };
        let listener = TcpListener::from_std(self.listener.try_clone().unwrap()).unwrap();
        let passed = self.passed.clone();
        let steady =
            move || Duration::from_millis(passed.load(Ordering::Relaxed).try_into().unwrap());
        let (passed, wrong) = (self.passed.clone(), self.wrong.clone());
        let now = move || {
            Timestamp(START + passed.load(Ordering::Relaxed) + wrong.load(Ordering::Relaxed))
        };
        let clock = Clock::new(now, steady);
        let server = Server::open(config, self.address, clock.clone()).unwrap();
        let (door, service) = (
            ControlSocket::open(&self.database()).unwrap(),
            server.service(),
        );
        self.chat = Arc::downgrade(&service.chat);
        let (stop, mut stopped) = watch::channel(false);
        let mut stopping = stopped.clone();
        let shutdown = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        let stopping = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
        let running = tokio::spawn(async move {
            let (served, ()) = tokio::join!(
                server.serve(listener, shutdown),
                door.serve(service, clock, stopping)
            );
            served.unwrap();
        });
        self.running = Some((stop, running));
    }

    /// Waits until so many held polls and streams are connected.
    pub async fn wait_for_connections(&self, count: usize) {
        self.device()
            .wait_for_metric(&format!("rejoin_connections {count}"))
            .await;
    }

    /// Waits for a line of the metrics.
    pub async fn wait_for_metric(&self, line: &str) {
        self.device().wait_for_metric(line).await;
    }

    /// Waits until so many clients are live, as upkeep lets due ones leave.
    pub async fn wait_for_clients(&self, left: usize) {
        self.device()
            .wait_for_metric(&format!("rejoin_clients {left}"))
            .await;
    }

    /// Somebody new, in a session of their own.
    pub async fn create_session(&self, nick: &str) -> Device {
        Device::create_session(self.url(""), nick).await
    }

    /// Several people who have joined a channel, the first of them as its op.
    pub async fn sessions_on<const N: usize>(
        &self,
        channel: &str,
        nicks: [&str; N],
    ) -> [Device; N] {
        let mut people = Vec::new();
        for nick in nicks {
            people.push(self.create_session(nick).await);
        }
        for person in &people {
            person.send(&format!("JOIN {channel}")).await;
        }
        people.try_into().unwrap()
    }

    /// A second device of somebody's, whose queue has begun; the password is set for it.
    pub async fn phone_of(&self, person: &Device, nick: &str) -> Device {
        person.send("PASS :correct horse battery").await;
        let phone = self.login(nick, "correct horse battery").await;
        phone.snapshot().await;
        phone
    }

    /// A device that has no session.
    pub fn device(&self) -> Device {
        Device::new(self.url(""))
    }

    /// One more device of somebody's session.
    pub async fn login(&self, nick: &str, password: &str) -> Device {
        self.device().login(nick, password).await.unwrap()
    }
}
