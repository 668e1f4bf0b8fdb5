//! What is done beside the commands, by the clock: writing down use, letting due clients leave,
//! removing what is old.

use std::time::{Duration, Instant};

use super::{core::Core, lifecycle};
use crate::{
    error::Result,
    model::{EndReason, Timestamp},
    store::{
        Read, app, audit, authorization_code, channel_history, client, device_code, grant, label,
        retention, revocation, sweep, token, unreadable,
    },
};

/// How many clients, events or labels one transaction takes; others get their turn between two of
/// them.
const BATCH: usize = 256;
/// A client whose secret was not presented for so long is taken never to have got it: it holds its
/// nick no longer.
const UNPRESENTED: Duration = Duration::from_mins(10);

impl Core {
    /// What need not be done at once: called about once a minute, with the time by which things are
    /// due. It may be dropped between any two transactions. Each part is done even if another
    /// fails; the first failure is returned.
    pub async fn maintain(&self, due: Timestamp) -> Result<()> {
        let used = self.write_down_use().await;
        let dropped = self.drop_old(due).await;
        used.and(dropped)
    }

    /// Lets clients leave that are due to, past their lifetime, not used for too long, or never
    /// heard of, and apps and grants end whose time is over. Tells sessions of devices that will
    /// leave soon. Called about once a second, so that their polls and streams end when they do;
    /// where nothing is due it costs three looks.
    pub async fn expire(&self, now: Timestamp, due: Timestamp) -> Result<()> {
        let clients = self.expire_clients(now, due).await;
        let apps = self.expire_apps(now, due).await;
        let warned = self.warn(now, due).await;
        clients.and(apps).and(warned)
    }

    /// Removes what nobody can read any more. Called about once a second; where nothing ended it
    /// costs a look.
    pub async fn drop_unreadable(&self) -> Result<()> {
        while self.store.read(sweep::next).await?.is_some() {
            self.store.write(|tx| unreadable::remove(tx, BATCH)).await?;
        }
        Ok(())
    }

    async fn expire_apps(&self, now: Timestamp, due: Timestamp) -> Result<()> {
        let of_batch =
            move |tx: &Read| Ok((app::due(tx, due, BATCH)?, grant::due(tx, due, BATCH)?));
        while self.store.read(of_batch).await? != (Vec::new(), Vec::new()) {
            self.store
                .write(move |tx| {
                    let (apps, grants) = of_batch(tx)?;
                    apps.into_iter()
                        .try_for_each(|app| lifecycle::end_app(tx, app, EndReason::Expired, now))?;
                    grants.into_iter().try_for_each(|grant| {
                        lifecycle::end_grant(tx, grant, EndReason::Expired, now)
                    })
                })
                .await?;
        }
        Ok(())
    }

    async fn expire_clients(&self, now: Timestamp, due: Timestamp) -> Result<()> {
        let limits = self.limits;
        let of_batch = move |tx: &Read| {
            client::due(
                tx,
                due,
                due.minus(limits.client_idle),
                due.minus(UNPRESENTED),
                BATCH,
            )
        };
        if self.store.read(of_batch).await?.is_empty() {
            return Ok(());
        }
        // The store may know less of their use than the memory does.
        self.write_down_use().await?;
        loop {
            let left = self
                .store
                .write(move |tx| {
                    let batch = of_batch(tx)?;
                    for (session, client) in &batch {
                        // One whose session ended with another of this batch has left already.
                        if client::ended(tx, *client)?.is_none() {
                            lifecycle::end_client(
                                tx,
                                *session,
                                *client,
                                EndReason::Expired,
                                None,
                                now,
                            )?;
                        }
                    }
                    Ok(batch.len())
                })
                .await?;
            if left < BATCH {
                return Ok(());
            }
        }
    }

    async fn drop_old(&self, due: Timestamp) -> Result<()> {
        let cutoff = due.minus(self.limits.retention);
        while self
            .store
            .write(move |tx| retention::drop_events(tx, cutoff, due, BATCH))
            .await?
            > 0
        {}
        while self
            .store
            .write(|tx| retention::drop_memberships(tx, BATCH))
            .await?
            == BATCH
        {}
        while self
            .store
            .write(|tx| channel_history::drop_old(tx, BATCH))
            .await?
            == BATCH
        {}
        while self
            .store
            .write(move |tx| retention::drop_tombstones(tx, cutoff, due, BATCH))
            .await?
            >= BATCH
        {}
        while self
            .store
            .write(move |tx| revocation::expire(tx, cutoff, BATCH))
            .await?
            == BATCH
        {}
        let cutoff = due.minus(self.limits.audit_retention);
        while self
            .store
            .write(move |tx| audit::expire(tx, cutoff, BATCH))
            .await?
            == BATCH
        {}
        while self
            .store
            .write(move |tx| label::expire(tx, due, BATCH))
            .await?
            == BATCH
        {}
        while self
            .store
            .write(move |tx| token::expire(tx, due, BATCH))
            .await?
            == BATCH
        {}
        while self
            .store
            .write(move |tx| authorization_code::expire(tx, due, BATCH))
            .await?
            == BATCH
        {}
        while self
            .store
            .write(move |tx| device_code::expire(tx, due, BATCH))
            .await?
            == BATCH
        {}
        self.callers.forget_expired(due);
        Ok(())
    }

    /// Writes down cursors and times of use that were gathered in memory.
    pub async fn write_down_use(&self) -> Result<()> {
        let ahead = self
            .callers
            .ahead()
            .into_iter()
            .map(|live| (live.used(), live))
            .collect::<Vec<_>>();
        for batch in ahead.chunks(BATCH) {
            let uses = batch
                .iter()
                .map(|(used, live)| (live.caller.client, *used))
                .collect::<Vec<_>>();
            self.store
                .write(move |tx| {
                    uses.iter()
                        .try_for_each(|(client, used)| client::note_use(tx, *client, *used))
                })
                .await?;
            batch.iter().for_each(|(used, live)| live.written(*used));
        }
        Ok(())
    }

    /// Says that the server is stopping, for a next one that waits for the database.
    pub fn announce_stop(&self) {
        self.store.announce_stop();
    }

    /// Writes down what is only in memory and closes the store. Who reads until `deadline` is
    /// interrupted.
    pub async fn close(&self, deadline: Instant) {
        if let Err(error) = self.write_down_use().await {
            tracing::error!(%error, "the clients' use could not be written down");
        }
        self.store.close(deadline).await;
    }
}
