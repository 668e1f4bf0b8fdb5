//! What strangers can make happen again and again is told so many times in an hour, and then counted: in the log by line and
//! network, in the audit by action and session, or by network where no session is known. When the hour is over, the count is
//! one line more.

use std::{fmt::Display, time::Duration};

use super::Chat;
use crate::{
    audit::{Action, Limit, Subject},
    error::Result,
    limits::{Bounds, Tally, Untold},
    model::{Arrival, Network, SessionId, Timestamp},
    store::{self, Priority},
};

const HOUR: Duration = Duration::from_hours(1);
/// Lines of the log.
const LOGGED: Bounds = Bounds { told: 20, keys: 1024, told_of_others: 20, window: HOUR };
/// Lines of the audit. Of a session's own more are told, so that its owner sees what matters.
const AUDITED: Bounds = Bounds { told: 50, keys: 16_384, told_of_others: 1024, window: HOUR };

/// What was told of so far.
pub struct Told {
    logged: Tally<(&'static str, String)>,
    audited: Tally<(Action, About)>,
}

/// Whom a refusal is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum About {
    Session(SessionId),
    Network(Network),
}

impl Default for Told {
    fn default() -> Self {
        Self { logged: Tally::new(LOGGED), audited: Tally::new(AUDITED) }
    }
}

impl Chat {
    /// Whether a line about somebody is to be written into the log now; else it is counted.
    pub fn tells(&self, line: &'static str, of: impl Display, arrival: &Arrival) -> bool {
        self.told.logged.note((line, of.to_string()), arrival.steady)
    }

    /// Records that a limit was reached. A nick that is nobody's is not written down: it may be a password in the wrong field.
    pub async fn throttled(&self, limit: Limit, subject: Subject, arrival: &Arrival) {
        if self.tells("throttled", arrival.network().widest(), arrival) {
            tracing::warn!(limit = limit.name(), address = subject.address.map(tracing::field::display), "throttled");
        }
        if let Err(error) = self.record_refusal(Action::Throttled(limit), subject, arrival).await {
            tracing::error!(%error, "that a limit was reached could not be recorded");
        }
    }

    /// Records that something was refused, or counts it.
    pub(crate) async fn record_refusal(&self, action: Action, subject: Subject, arrival: &Arrival) -> Result<()> {
        let about = subject.session.map_or(About::Network(arrival.network().widest()), About::Session);
        if !self.told.audited.note((action, about), arrival.steady) {
            return Ok(());
        }
        let now = arrival.now;
        let recorded = self
            .store
            .write_as(Priority::Record, move |tx| {
                let named = match subject.session {
                    Some(session) if subject.nick.is_none() => {
                        store::session::get(tx, session)?.subject(subject.clone())
                    }
                    _ => subject.clone(),
                };
                store::audit::record(tx, action, &named, now)
            })
            .await;
        match recorded {
            // What is refused is refused all the same, and told with what was counted.
            Err(error) if error.is_want_of_room() => {
                self.told.audited.count(Some((action, about)), 1, arrival.steady);
                Ok(())
            }
            recorded => recorded,
        }
    }

    /// Tells what was counted in the hours that are over.
    pub async fn tell_untold(&self, steady: Duration, now: Timestamp) -> Result<()> {
        self.tell(self.told.logged.due(steady), self.told.audited.due(steady), steady, now).await
    }

    /// Tells all that was counted, because the server is stopping.
    pub async fn tell_all(&self, steady: Duration, now: Timestamp) -> Result<()> {
        self.tell(self.told.logged.end(), self.told.audited.end(), steady, now).await
    }

    async fn tell(
        &self,
        logged: Vec<Untold<(&'static str, String)>>,
        audited: Vec<Untold<(Action, About)>>,
        steady: Duration,
        now: Timestamp,
    ) -> Result<()> {
        for Untold { key, count } in logged {
            let (line, of) = key.unwrap_or_else(|| ("many lines", "many".into()));
            tracing::warn!(line, of, count, "not logged one by one within the last hour");
        }
        if audited.is_empty() {
            return Ok(());
        }
        let counted = audited.clone();
        let recorded = self
            .store
            .write_as(Priority::Record, move |tx| {
                audited.iter().try_for_each(|Untold { key, count }| {
                    let Some((action, about)) = key else {
                        return store::audit::record_many(tx, Action::Refusals, &Subject::default(), *count, now);
                    };
                    let subject = match about {
                        About::Session(session) => Subject { session: Some(*session), ..Subject::default() },
                        About::Network(network) => Subject { address: Some(network.address()), ..Subject::default() },
                    };
                    store::audit::record_many(tx, *action, &subject, *count, now)
                })
            })
            .await;
        match recorded {
            // It is told in an hour.
            Err(error) if error.is_want_of_room() => {
                counted.into_iter().for_each(|Untold { key, count }| self.told.audited.count(key, count, steady));
                Ok(())
            }
            recorded => recorded,
        }
    }
}
