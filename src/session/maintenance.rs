//! The periodic work on the store: recording use, ending clients that are due, and removing old
//! data.

use std::time::{Duration, Instant};

use super::{core::Core, lifecycle};
use crate::{
    error::Result,
    model::{EndReason, Moment, Timestamp},
    store::{
        Read, Write, app, app_grant, audit, authorization_code, channel_history, client,
        client_lifetime, device_code, label, retention, revocation, sweep, token, unreadable,
    },
};

/// How many rows one transaction handles. Other writers get their turn between transactions.
const BATCH: usize = 256;
/// How long a client may keep its session's nick without presenting its secret. After that it is
/// assumed never to have received the secret.
const UNPRESENTED: Duration = Duration::from_mins(10);

impl Core {
    /// Records use and removes data past its retention. Called about once a minute.
    ///
    /// The future may be dropped between any two transactions. Each part runs even if another
    /// fails, and the first failure is returned.
    pub async fn maintain(&self, Moment { due, .. }: Moment) -> Result<()> {
        let used = self.write_down_use().await;
        let dropped = self.drop_old(due).await;
        used.and(dropped)
    }

    /// Ends clients that are past their lifetime, unused for too long, or never heard of, and apps
    /// and grants whose time is over. Warns sessions of devices that will leave soon.
    ///
    /// Called about once a second, so that polls and streams end when their clients do. It costs
    /// three reads if nothing is due.
    pub async fn expire(&self, at: Moment) -> Result<()> {
        let clients = self.expire_clients(at).await;
        let apps = self.expire_apps(at).await;
        let warned = self.warn(at).await;
        clients.and(apps).and(warned)
    }

    /// Removes events that nobody can read any more. Called about once a second. It costs one read
    /// if nothing has ended.
    pub async fn drop_unreadable(&self) -> Result<()> {
        while self.store.read(sweep::next).await?.is_some() {
            self.store.write(|tx| unreadable::remove(tx, BATCH)).await?;
        }
        Ok(())
    }

    async fn expire_apps(&self, Moment { now, due }: Moment) -> Result<()> {
        let of_batch =
            move |tx: &Read| Ok((app::due(tx, due, BATCH)?, app_grant::due(tx, due, BATCH)?));
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

    async fn expire_clients(&self, Moment { now, due }: Moment) -> Result<()> {
        let limits = self.limits;
        let of_batch = move |tx: &Read| {
            client_lifetime::due(
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
        // The store may not know of their latest use yet.
        self.write_down_use().await?;
        loop {
            let left = self
                .store
                .write(move |tx| {
                    let batch = of_batch(tx)?;
                    for (session, client) in &batch {
                        // A client whose session ended earlier in this batch has left already.
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
        self.in_batches(move |tx| retention::drop_events(tx, cutoff, due, BATCH))
            .await?;
        self.in_batches(|tx| retention::drop_stays(tx, BATCH))
            .await?;
        self.in_batches(|tx| channel_history::drop_old(tx, BATCH))
            .await?;
        self.in_batches(move |tx| retention::drop_tombstones(tx, cutoff, due, BATCH))
            .await?;
        self.in_batches(move |tx| revocation::expire(tx, cutoff, BATCH))
            .await?;
        let cutoff = due.minus(self.limits.audit_retention);
        self.in_batches(move |tx| audit::expire(tx, cutoff, BATCH))
            .await?;
        self.in_batches(move |tx| label::expire(tx, due, BATCH))
            .await?;
        self.in_batches(move |tx| token::expire(tx, due, BATCH))
            .await?;
        self.in_batches(move |tx| authorization_code::expire(tx, due, BATCH))
            .await?;
        self.in_batches(move |tx| device_code::expire(tx, due, BATCH))
            .await?;
        self.callers.forget_expired(due);
        Ok(())
    }

    /// Calls `remove`, which removes a batch of rows and returns how many, until it finds none.
    /// Each call has a transaction of its own. A batch may be shorter than [`BATCH`] and not be the
    /// last.
    async fn in_batches<F>(&self, remove: F) -> Result<()>
    where
        F: Fn(&Write) -> Result<usize> + Copy + Send + 'static,
    {
        while self.store.write(remove).await? > 0 {}
        Ok(())
    }

    /// Stores the cursors, times and networks of use that were gathered in memory.
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

    /// Announces to the next server, which waits for the database, that this one is stopping.
    pub fn announce_stop(&self) {
        self.store.announce_stop();
    }

    /// Stores what is only in memory and closes the store. Reads that still run at `deadline` are
    /// interrupted.
    pub async fn close(&self, deadline: Instant) {
        if let Err(error) = self.write_down_use().await {
            tracing::error!(%error, "could not save when clients were last used");
        }
        self.store.close(deadline).await;
    }
}
