//! Recording refusals: one by one while they are few, and counted when they are many.

use std::{fmt::Display, time::Duration};

use super::{
    core::Core,
    refusal_log::{About, Refreshed, RefusalLog},
};
use crate::{
    audit::{Action, Limit, Subject},
    error::Result,
    limits::Untold,
    model::{Arrival, Timestamp},
    store::{self, Priority},
};

/// What was counted and is to be told.
struct ToTell {
    logged: Vec<Untold<(&'static str, String)>>,
    audited: Vec<Untold<(Action, About)>>,
    refreshed: Vec<Untold<Refreshed>>,
}

impl Core {
    /// Whether a line about somebody is to be written into the log now; else it is counted.
    pub fn tells(&self, line: &'static str, of: impl Display, arrival: &Arrival) -> bool {
        self.refusal_log
            .logged
            .note((line, of.to_string()), arrival.steady)
    }

    /// Records that a limit was reached. A nick that is nobody's is not written down: it may be a
    /// password in the wrong field.
    pub async fn throttled(&self, limit: Limit, subject: Subject, arrival: &Arrival) {
        if self.tells("throttled", arrival.network().widest(), arrival) {
            tracing::warn!(
                limit = limit.name(),
                address = subject.address.map(tracing::field::display),
                "throttled"
            );
        }
        if let Err(error) = self
            .record_refusal(Action::Throttled(limit), subject, arrival)
            .await
        {
            tracing::error!(%error, "that a limit was reached could not be recorded");
        }
    }

    /// Records that something was refused, or counts it.
    pub(crate) async fn record_refusal(
        &self,
        action: Action,
        subject: Subject,
        arrival: &Arrival,
    ) -> Result<()> {
        let about = subject
            .session
            .map_or(About::Network(arrival.network().widest()), About::Session);
        if !self
            .refusal_log
            .audited
            .note((action, about), arrival.steady)
        {
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
                self.refusal_log
                    .audited
                    .count(Some((action, about)), 1, arrival.steady);
                Ok(())
            }
            recorded => recorded,
        }
    }

    /// Tells what was counted in the hours that are over.
    pub async fn tell_untold(&self, steady: Duration, now: Timestamp) -> Result<()> {
        let RefusalLog {
            logged,
            audited,
            refreshed,
        } = &*self.refusal_log;
        let (logged, audited, refreshed) = (
            logged.due(steady),
            audited.due(steady),
            refreshed.due(steady),
        );
        self.tell(
            ToTell {
                logged,
                audited,
                refreshed,
            },
            steady,
            now,
        )
        .await
    }

    /// Tells all that was counted, because the server is stopping.
    pub async fn tell_all(&self, steady: Duration, now: Timestamp) -> Result<()> {
        let RefusalLog {
            logged,
            audited,
            refreshed,
        } = &*self.refusal_log;
        let counted = ToTell {
            logged: logged.end(),
            audited: audited.end(),
            refreshed: refreshed.end(),
        };
        self.tell(counted, steady, now).await
    }

    async fn tell(
        &self,
        ToTell {
            logged,
            audited,
            refreshed,
        }: ToTell,
        steady: Duration,
        now: Timestamp,
    ) -> Result<()> {
        for Untold { key, count } in logged {
            let (line, of) = key.unwrap_or_else(|| ("many lines", "many".into()));
            tracing::warn!(
                line,
                of,
                count,
                "not logged one by one within the last hour"
            );
        }
        if audited.is_empty() && refreshed.is_empty() {
            return Ok(());
        }
        let counted = (audited.clone(), refreshed.clone());
        let recorded = self
            .store
            .write_as(Priority::Record, move |tx| {
                refreshed.iter().try_for_each(|Untold { key, count }| {
                    let subject = key.as_ref().map(Refreshed::subject).unwrap_or_default();
                    store::audit::record_many(tx, Action::GrantRefreshed, &subject, *count, now)
                })?;
                audited.iter().try_for_each(|Untold { key, count }| {
                    let Some((action, about)) = key else {
                        return store::audit::record_many(
                            tx,
                            Action::Refusals,
                            &Subject::default(),
                            *count,
                            now,
                        );
                    };
                    let subject = match about {
                        About::Session(session) => Subject {
                            session: Some(*session),
                            ..Subject::default()
                        },
                        About::Network(network) => Subject {
                            address: Some(network.address()),
                            ..Subject::default()
                        },
                    };
                    store::audit::record_many(tx, *action, &subject, *count, now)
                })
            })
            .await;
        match recorded {
            // It is told in an hour.
            Err(error) if error.is_want_of_room() => {
                let (audited, refreshed) = counted;
                audited.into_iter().for_each(|Untold { key, count }| {
                    self.refusal_log.audited.count(key, count, steady)
                });
                refreshed.into_iter().for_each(|Untold { key, count }| {
                    self.refusal_log.refreshed.count(key, count, steady)
                });
                Ok(())
            }
            recorded => recorded,
        }
    }
}
