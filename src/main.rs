//! The `rejoin` program: the command line, the clock, the signals.

use std::{
    io::IsTerminal,
    process::ExitCode,
    time::{Instant, SystemTime},
};

use clap::Parser;
use rejoin::{
    config::{Config, Operation},
    control::{self, ControlSocket},
    http,
    model::{Clock, Timestamp},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{
    EnvFilter, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt,
};

#[tokio::main]
async fn main() -> ExitCode {
    let mut config = Config::parse();
    log();
    let result = match config.operation.take() {
        Some(operation) => operate(&config, operation).await,
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
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|e| format!("cannot listen on {}: {e}", config.listen))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let told_to_stop = told_to_stop()?;
    let database = config.database.clone();
    let clock = system_clock();
    let server =
        http::Server::open(config, address, clock.clone()).map_err(|error| error.detail)?;
    let service = server.service();
    let control_socket = ControlSocket::open(&database);
    if let Err(error) = &control_socket {
        tracing::warn!(%error, "there is no control socket, so subcommands cannot reach this server");
    }
    // The only line on stdout. Programs that start the server wait for it.
    println!("listening on http://{address}");
    let stopping = CancellationToken::new();
    let shutdown = {
        let stopping = stopping.clone();
        async move {
            told_to_stop.await;
            stopping.cancel();
        }
    };
    let controlled = async {
        if let Ok(control_socket) = control_socket {
            control_socket
                .serve(service, clock, stopping.cancelled())
                .await;
        }
    };
    let (served, ()) = tokio::join!(server.serve(listener, shutdown), controlled);
    served.map_err(|error| error.to_string())
}

/// Waits for SIGINT or SIGTERM. From this call on, they no longer end the process by themselves.
fn told_to_stop() -> Result<impl Future<Output = ()>, String> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Carries out a subcommand. A signal stops it, and the database is closed before the process
/// ends.
async fn operate(config: &Config, operation: Operation) -> Result<(), String> {
    let clock = system_clock();
    if matches!(operation, Operation::Restore { .. }) {
        // A restore may be killed at any moment and leaves nothing open, so it handles no signals.
        return control::run_subcommand(config, operation, &clock)
            .await
            .map(|said| print!("{said}"));
    }
    let told_to_stop = told_to_stop()?;
    tokio::select! {
        said = control::run_subcommand(config, operation, &clock) => said.map(|said| print!("{said}")),
        () = told_to_stop => Err("stopped by a signal before the subcommand was done".into()),
    }
}

/// Logs to stderr: plain lines on a terminal, JSON elsewhere. `RUST_LOG` sets the filter.
///
/// Libraries never log below `info`, whatever `RUST_LOG` says. At those levels they log the frames
/// of a WebSocket or a refused form, and so passwords and tokens.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let discreet = filter_fn(|line| {
        let ours = line.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"));
        ours || *line.level() <= tracing::Level::INFO
    });
    let discreet = tracing_subscriber::registry().with(filter).with(discreet);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        discreet.with(lines).init()
    } else {
        discreet.with(lines.json()).init()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where the time comes from"
)]
fn system_clock() -> Clock {
    let now = || {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    };
    let start = Instant::now();
    Clock::new(now, move || start.elapsed())
}
