//! Limits how much strangers can make the server record.
//!
//! Each hour a limited number of lines is written, and the rest are only counted: in the log by
//! line and network, and in the audit log by action and session, or by network if no session is
//! known. After the hour the count is written as one more line. Refreshes of tokens are treated the
//! same way, by grant and network.

use std::time::Duration;

use crate::{
    audit::{Action, Subject},
    limits::{Bounds, LogTally},
    model::{ClientId, GrantId, Network, SessionId},
};

const HOUR: Duration = Duration::from_hours(1);
/// The lines of the log per hour.
const LOGGED: Bounds = Bounds {
    told: 20,
    keys: 1024,
    told_of_others: 20,
    window: HOUR,
};
/// The lines of the audit log per hour. A session gets more of them, so that its user sees the
/// important ones.
const AUDITED: Bounds = Bounds {
    told: 50,
    keys: 16_384,
    told_of_others: 1024,
    window: HOUR,
};

/// The refreshes per hour that are recorded. An app may refresh ten times a second. An app that
/// refreshes when its access token expires does so six times an hour, and each of these is
/// recorded.
const REFRESHED: Bounds = Bounds {
    told: 10,
    keys: 16_384,
    told_of_others: 1024,
    window: HOUR,
};

/// The lines that were recorded and counted so far.
pub struct RefusalLog {
    /// Lines of the log, by line and network.
    pub(super) logged: LogTally<(&'static str, String)>,
    /// Lines of the audit log, by action and session or network.
    pub(super) audited: LogTally<(Action, About)>,
    /// Refreshes, by grant and network.
    pub(super) refreshed: LogTally<Refreshed>,
}

/// A grant whose tokens were refreshed, and the network the request came from. A refresh from
/// another network is a key of its own, so it is recorded in any case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refreshed {
    /// The grant.
    pub grant: GrantId,
    /// The network of the request.
    pub network: Network,
    /// The grant's session, if it has one.
    pub session: Option<SessionId>,
    /// The grant's client, if it has one.
    pub client: Option<ClientId>,
    /// The app's `client_id`.
    pub app: String,
}

impl RefusalLog {
    /// Whether the transaction that carries out this refresh has to record it.
    pub fn records_refresh(&self, of: &Refreshed) -> bool {
        self.refreshed.would_tell(of)
    }

    /// Notes that a refresh was carried out, at the time `steady`.
    pub fn note_refresh(&self, of: Refreshed, steady: Duration) {
        self.refreshed.note(of, steady);
    }
}

/// The subject of a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum About {
    Session(SessionId),
    Network(Network),
}

impl Refreshed {
    /// The subject of the audit lines about this grant.
    pub(super) fn subject(&self) -> Subject {
        Subject {
            session: self.session,
            client: self.client,
            address: Some(self.network.address()),
            app: Some(self.app.clone()),
            ..Subject::default()
        }
    }
}

impl Default for RefusalLog {
    fn default() -> Self {
        Self {
            logged: LogTally::new(LOGGED),
            audited: LogTally::new(AUDITED),
            refreshed: LogTally::new(REFRESHED),
        }
    }
}
