//! The `rejoin` program: the command line, the clock, the signals.

use std::{
    io::IsTerminal,
    process::ExitCode,
    time::{Instant, SystemTime},
};

use clap::Parser;
use rejoin::{
    config::Config,
    control::{self, Door},
    http,
    model::{Clock, Timestamp},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let mut config = Config::parse();
    log();
    let result = match config.operation.take() {
        Some(operation) => control::operate(&config, operation, &system_clock()).await.map(|said| print!("{said}")),
        None => run(config).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("rejoin: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> Result<(), String> {
    config.check()?;
    let listener =
        TcpListener::bind(config.listen).await.map_err(|e| format!("cannot listen on {}: {e}", config.listen))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let shutdown = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let database = config.database.clone();
    let clock = system_clock();
    let server = http::Server::open(config, address, clock.clone()).map_err(|error| error.detail)?;
    let chat = server.chat();
    let door = Door::open(&database);
    if let Err(error) = &door {
        tracing::warn!(%error, "there is no control socket, so subcommands cannot reach this server");
    }
    // The one line on stdout, for people and for programs that wait for it.
    println!("listening on http://{address}");
    let knocked = async {
        match &door {
            Ok(door) => door.serve(chat, clock).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        served = server.serve(listener, shutdown) => served.map_err(|error| error.to_string()),
        () = knocked => Ok(()),
    }
}

/// Logs to stderr: lines for people on a terminal, JSON elsewhere. `RUST_LOG` chooses what.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() { builder.init() } else { builder.json().init() }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where the time comes from")]
fn system_clock() -> Clock {
    let now = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    };
    let start = Instant::now();
    Clock::new(now, move || start.elapsed())
}
