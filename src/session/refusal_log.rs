//! What strangers can make happen again and again is told so many times in an hour, and then
//! counted: in the log by line and network, in the audit by action and session, or by network where
//! no session is known. When the hour is over, the count is one line more. So are refreshes, by
//! grant and network.

use std::time::Duration;

use crate::{
    audit::{Action, Subject},
    limits::{Bounds, Tally},
    model::{ClientId, GrantId, Network, SessionId},
};

const HOUR: Duration = Duration::from_hours(1);
/// Lines of the log.
const LOGGED: Bounds = Bounds {
    told: 20,
    keys: 1024,
    told_of_others: 20,
    window: HOUR,
};
/// Lines of the audit. Of a session's own more are told, so that its owner sees what matters.
const AUDITED: Bounds = Bounds {
    told: 50,
    keys: 16_384,
    told_of_others: 1024,
    window: HOUR,
};

/// Refreshes, which an app may ask for ten times a second. An app that refreshes when its access
/// token expires does so six times an hour, and all of that is told.
const REFRESHED: Bounds = Bounds {
    told: 10,
    keys: 16_384,
    told_of_others: 1024,
    window: HOUR,
};

/// What was told of so far.
pub struct RefusalLog {
    pub(super) logged: Tally<(&'static str, String)>,
    pub(super) audited: Tally<(Action, About)>,
    pub(super) refreshed: Tally<Refreshed>,
}

/// A grant whose tokens were refreshed, and from where: somebody who comes from elsewhere is told
/// of for sure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refreshed {
    pub grant: GrantId,
    pub network: Network,
    pub session: Option<SessionId>,
    pub client: Option<ClientId>,
    /// The app's `client_id`.
    pub app: String,
}

impl RefusalLog {
    /// Whether a refresh is to be recorded in the transaction that carries it out.
    pub fn records_refresh(&self, of: &Refreshed) -> bool {
        self.refreshed.would_tell(of)
    }

    /// Notes a refresh that was carried out.
    pub fn note_refresh(&self, of: Refreshed, steady: Duration) {
        self.refreshed.note(of, steady);
    }
}

/// Whom a refusal is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum About {
    Session(SessionId),
    Network(Network),
}

impl Refreshed {
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
            logged: Tally::new(LOGGED),
            audited: Tally::new(AUDITED),
            refreshed: Tally::new(REFRESHED),
        }
    }
}
