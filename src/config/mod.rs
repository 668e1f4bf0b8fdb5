//! The command line. Every flag has an environment variable: `REJOIN_` and the flag's name.

// Clap shows these comments as they are, so an address or a placeholder in them is no link.
#![allow(rustdoc::bare_urls, rustdoc::invalid_html_tags)]

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use clap::{Parser, ValueEnum};
use ipnet::IpNet;

use crate::{limits::Rate, model::Origin, session::Limits, store::files};

mod duration;
mod operation;
#[cfg(test)]
mod tests;

use duration::duration;
pub use operation::{OnApps, OnKeys, Operation};

/// The most live sessions created from one network (an IPv4 address, an IPv6 /64).
const MAX_SESSIONS: i64 = 1000;

/// The most characters of the cookie's name.
const COOKIE_NAME_LIMIT: usize = 64;

/// A chat server whose sessions you rejoin from any device by logging in
#[derive(Clone, Debug, Parser)]
#[command(name = "rejoin", version)]
pub struct Config {
    /// Listen on this address; port 0 picks a port
    #[arg(long, env = "REJOIN_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The database file; created if missing
    #[arg(
        long,
        env = "REJOIN_DATABASE",
        default_value = "rejoin.db",
        global = true
    )]
    pub database: PathBuf,
    /// The file of the server's own keys; created at the first start [default: <DATABASE>.keys]
    #[arg(long, env = "REJOIN_KEYS", global = true)]
    pub keys: Option<PathBuf>,
    /// The address that people open, such as https://chat.example.org; required if the server
    /// listens on anything but loopback [default: http://<LISTEN>]
    #[arg(long, env = "REJOIN_PUBLIC_URL")]
    pub public_url: Option<Origin>,
    /// The cookie's name, for two servers on one host; over https, __Host- precedes it
    #[arg(long, env = "REJOIN_COOKIE_NAME", default_value = "rejoin", value_parser = cookie_name)]
    pub cookie_name: String,
    /// Allow plain http on an address that is not loopback, where anyone on the way can read
    /// passwords and cookies
    #[arg(long, env = "REJOIN_INSECURE_HTTP", value_parser = clap::builder::FalseyValueParser::new())]
    pub insecure_http: bool,
    /// Believe X-Forwarded-For from this proxy, an address or a CIDR; repeatable
    #[arg(long, env = "REJOIN_TRUSTED_PROXY", value_delimiter = ',', value_parser = network)]
    pub trusted_proxy: Vec<IpNet>,
    /// Commands that one session may send, as BURST:PER_SECOND; off also removes the limit on the
    /// bytes that they store
    #[arg(long, env = "REJOIN_FLOOD_LIMIT", default_value = "20:5")]
    pub flood_limit: FloodLimit,
    /// How much one network may add to the disk in a day, such as 200MB, or off
    #[arg(long, env = "REJOIN_STORAGE_LIMIT", default_value = "200MB")]
    pub storage_limit: StorageLimit,
    /// Limit failed logins, and the sessions and connections of one network; off is for load tests
    #[arg(long, env = "REJOIN_LOGIN_LIMIT", default_value = "on")]
    pub login_limit: Switch,
    /// A client leaves after it was unused for this long; an open stream counts as use
    #[arg(long, env = "REJOIN_CLIENT_IDLE", default_value = "30d", value_parser = duration)]
    pub client_idle: Duration,
    /// A client leaves after this long in any case, unless it logs in again
    #[arg(long, env = "REJOIN_CLIENT_LIFETIME", default_value = "180d", value_parser = duration)]
    pub client_lifetime: Duration,
    /// How long events are kept
    #[arg(long, env = "REJOIN_RETENTION", default_value = "30d", value_parser = duration)]
    pub retention: Duration,
    /// How long the audit log is kept
    #[arg(long, env = "REJOIN_AUDIT_RETENTION", default_value = "365d", value_parser = duration)]
    pub audit_retention: Duration,
    /// The most clients of one session
    #[arg(long, env = "REJOIN_MAX_CLIENTS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_clients: u16,
    /// The most channels that one session can be on
    #[arg(long, env = "REJOIN_MAX_CHANNELS", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_channels: u16,
    /// Give new channels the mode +H: members can read messages from before they joined
    #[arg(long, env = "REJOIN_CHANNEL_HISTORY", default_value = "off")]
    pub channel_history: Switch,
    /// Print JSON, one object per line (subcommands only)
    #[arg(long, env = "REJOIN_JSON", global = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub json: bool,
    /// How long a connection may keep the server waiting; not a flag, shorter in tests alone
    #[arg(skip)]
    pub patience: Patience,
    /// The operator's subcommand; without one, the server starts
    #[command(subcommand)]
    pub operation: Option<Operation>,
}

/// How long a connection may keep the server waiting. Users on poor networks stay well within this.
/// It is not a flag. Only tests make it shorter.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The time for the whole head of a request, from the start of the connection or from the last
    /// answer. An idle connection therefore ends after this time.
    pub head: Duration,
    /// The time for the whole body of a request.
    pub body: Duration,
    /// The time in which the peer must take the next 64 KiB of the output, or all of the rest.
    pub write: Duration,
    /// The time between two pings of a WebSocket. A connection is dead if its peer was silent for
    /// two and a half of these.
    pub ping: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let half_a_minute = Duration::from_secs(30);
        Self {
            head: half_a_minute,
            body: half_a_minute,
            write: half_a_minute,
            ping: half_a_minute,
        }
    }
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Turned on
    On,
    /// Turned off
    Off,
}

impl Config {
    /// Refuses an unsafe configuration. The error is a sentence that says what to do instead.
    pub fn check(&self) -> Result<(), String> {
        if self.listen.ip().is_loopback() {
            return Ok(());
        }
        match &self.public_url {
            None => Err(format!(
                "--listen {} can be reached from other machines, so --public-url must be the address that people open, \
                 for instance --public-url https://chat.example.org (with a proxy that speaks TLS in front)",
                self.listen
            )),
            Some(url) if !url.is_https() && !self.insecure_http => Err(format!(
                "--public-url {url} is plain http on an address that is not loopback: passwords and cookies could be read \
                 on the way. Put a proxy that speaks TLS in front and give its https:// address, or, on a network you \
                 trust, add --insecure-http"
            )),
            Some(_) => Ok(()),
        }
    }

    /// The path of the key file that belongs to this database.
    pub fn key_file(&self, database: &Path) -> PathBuf {
        self.keys
            .clone()
            .unwrap_or_else(|| files::beside(database, "keys"))
    }

    /// The limits for the rules of sessions and channels.
    pub fn limits(&self) -> Limits {
        Limits {
            max_clients: self.max_clients.into(),
            max_channels: self.max_channels.into(),
            channel_history: self.channel_history == Switch::On,
            rate_limited: self.login_limit == Switch::On,
            max_sessions: (self.login_limit == Switch::On).then_some(MAX_SESSIONS),
            client_idle: self.client_idle,
            client_lifetime: self.client_lifetime,
            retention: self.retention,
            audit_retention: self.audit_retention,
        }
    }
}

/// The rate of commands that a session may send: a burst and its refill in a second, written
/// `20:5`. `None` for `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodLimit(pub Option<Rate>);

impl FromStr for FloodLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let parsed = text
            .split_once(':')
            .and_then(|(burst, rate)| Some((burst.parse().ok()?, rate.parse::<u32>().ok()?)));
        match parsed {
            Some((burst, rate)) if burst > 0 && rate > 0 => Ok(Self(Some(Rate {
                burst,
                every: Duration::from_secs(1) / rate,
            }))),
            _ => Err("give a burst and a rate per second, such as 20:5, or off".into()),
        }
    }
}

/// The most bytes that one network may add to the disk in a day, written `200MB`. `None` for `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageLimit(pub Option<u64>);

impl FromStr for StorageLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let factor = match text[digits.len()..]
            .trim_start()
            .to_ascii_uppercase()
            .as_str()
        {
            "" | "B" => 1,
            "KB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            _ => 0,
        };
        let bytes = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .filter(|bytes| *bytes > 0);
        bytes
            .map(|bytes| Self(Some(bytes)))
            .ok_or_else(|| "give a number and one of KB, MB, GB, TB, such as 200MB, or off".into())
    }
}

/// Parses the name of a cookie: a token (RFC 6265bis §4.1.1). Names that begin with `__` are
/// refused, because browsers have special rules for them. One of these is `__Host-`, which the
/// server itself puts before the name.
fn cookie_name(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let token = !text.is_empty() && text.len() <= COOKIE_NAME_LIMIT && text.bytes().all(allowed);
    if !token || text.starts_with("__") {
        return Err(format!(
            "give a word of at most {COOKIE_NAME_LIMIT} letters, digits and signs such as - and _ \
             that does not begin with __"
        ));
    }
    Ok(text.to_owned())
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| address())
        .map_err(|_| "give an address or a CIDR, such as 10.0.0.0/8".into())
}
