//! Recording refusals: one by one while they are few, and as counts when they are many.

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

/// Counts that are due to be written.
struct ToTell {
    logged: Vec<Untold<(&'static str, String)>>,
    audited: Vec<Untold<(Action, About)>>,
    refreshed: Vec<Untold<Refreshed>>,
}

impl Core {
    /// Notes a line about `of` for the log. Returns whether the caller has to log it now; otherwise
    /// it was only counted.
    pub fn note_line(&self, line: &'static str, of: impl Display, arrival: &Arrival) -> bool {
        self.refusal_log
            .logged
            .note((line, of.to_string()), arrival.steady)
    }

    /// Records that a limit was reached. A nick that no session has is not recorded: it may be a
    /// password typed into the wrong field.
    pub async fn throttled(&self, limit: Limit, subject: Subject, arrival: &Arrival) {
        if self.note_line("throttled", arrival.network().widest(), arrival) {
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
            tracing::error!(%error, "could not record in the audit log that a limit was reached");
        }
    }

    /// Records a refusal in the audit log, or counts it if there are many.
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
        let now = arrival.at.now;
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
            // On a full disk the request is refused all the same. The refusal is counted and
            // recorded later.
            Err(error) if error.is_want_of_room() => {
                self.refusal_log
                    .audited
                    .count(Some((action, about)), 1, arrival.steady);
                Ok(())
            }
            recorded => recorded,
        }
    }

    /// Writes the counts of the hours that are over at `steady`.
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

    /// Writes all counts, because the server is stopping.
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
            let (line, of) = key.unwrap_or_else(|| ("other lines", "others".into()));
            tracing::warn!(
                line,
                of,
                count,
                "repeated log lines were left out within the last hour"
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
            // The counts are written in an hour.
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
