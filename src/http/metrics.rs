//! The metrics of the server, for `/metrics`.

use std::time::Duration;

use crate::{
    error::{Error, Result},
    http::server::connection_limits::ConnectionLimits,
};
use axum::http::StatusCode;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// Counters since the start, and gauges.
pub struct Metrics {
    registry: Registry,
    requests: Family<Status, Counter>,
    seconds: Histogram,
    commands: Counter,
    logins: Family<Outcome, Counter>,
    sessions: Gauge,
    clients: Gauge,
    connections: Gauge,
    passwords: Gauge,
    disk_full: Gauge,
    reserve: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl Metrics {
    /// Registers every metric. Connections are counted by `connection_limits`.
    pub fn new(connection_limits: &ConnectionLimits) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("rejoin"),
            requests: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.0005, 4.0, 10)),
            commands: Counter::default(),
            logins: Family::default(),
            sessions: Gauge::default(),
            clients: Gauge::default(),
            connections: Gauge::default(),
            passwords: Gauge::default(),
            disk_full: Gauge::default(),
            reserve: Gauge::default(),
        };
        let Self {
            registry,
            requests,
            seconds,
            commands,
            logins,
            sessions,
            clients,
            connections,
            passwords,
            disk_full,
            reserve,
        } = &mut metrics;
        registry.register(
            "http_requests",
            "Requests answered, by status",
            requests.clone(),
        );
        registry.register(
            "http_request_seconds",
            "Seconds from a request to the head of its answer, including the time for which a poll \
             is held",
            seconds.clone(),
        );
        registry.register("commands", "Commands received", commands.clone());
        registry.register("logins", "Logins, by outcome", logins.clone());
        registry.register("sessions", "Live sessions", sessions.clone());
        registry.register("clients", "Live clients", clients.clone());
        registry.register(
            "connections",
            "Held polls and open streams",
            connections.clone(),
        );
        registry.register(
            "passwords",
            "Passwords that are being hashed or wait to be hashed",
            passwords.clone(),
        );
        registry.register(
            "disk_full",
            "1 while the disk is full and requests that add data are refused, otherwise 0",
            disk_full.clone(),
        );
        registry.register(
            "reserve_bytes",
            "Bytes that are left of the reserve for a full disk",
            reserve.clone(),
        );
        registry.register(
            "tcp_connections",
            "Open TCP connections",
            connection_limits.open.clone(),
        );
        let refused = "TCP connections refused because their network had as many as it may";
        registry.register(
            "tcp_connections_refused",
            refused,
            connection_limits.refused.clone(),
        );
        metrics
    }

    /// Counts an answered request by its status, and records the time until the head of its answer.
    pub fn answered(&self, status: StatusCode, time: Duration) {
        let status = status.as_u16().into();
        self.requests.get_or_create(&Status { status }).inc();
        self.seconds.observe(time.as_secs_f64());
    }

    /// Counts a command, whether or not it succeeds.
    pub fn command(&self) {
        self.commands.inc();
    }

    /// Counts a login by whether the password was right.
    pub fn login(&self, right: bool) {
        let outcome = if right { "right" } else { "failed" };
        self.logins.get_or_create(&Outcome { outcome }).inc();
    }

    /// All metrics as text in the OpenMetrics format, with these gauges.
    ///
    /// Fails with `internal_error` if they cannot be written.
    pub fn render(&self, gauges: Gauges) -> Result<String> {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.sessions.set(gauges.sessions);
        self.clients.set(count(gauges.clients));
        self.connections.set(count(gauges.connections));
        self.passwords.set(count(gauges.passwords));
        self.disk_full.set(gauges.disk_full.into());
        self.reserve
            .set(i64::try_from(gauges.reserve).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(Error::internal)?;
        Ok(text)
    }
}

/// Values that are read when the metrics are requested.
pub struct Gauges {
    /// Live sessions.
    pub sessions: i64,
    /// Live clients.
    pub clients: usize,
    /// Held polls and open streams.
    pub connections: usize,
    /// The passwords that are being hashed or wait for it.
    pub passwords: usize,
    /// Whether the disk is full.
    pub disk_full: bool,
    /// The bytes that are left of the reserve for a full disk.
    pub reserve: u64,
}
