//! What is done beside the commands, by the clock: writing down use, letting due clients leave, removing what is old.

use super::Chat;
use crate::{
    error::Result,
    model::{EndReason, Timestamp},
    store::{audit, client, label, retention},
};

/// How many clients, events or labels one transaction takes; others get their turn between two of them.
const BATCH: usize = 256;

impl Chat {
    /// One round of everything; called about once a minute. It may be dropped between any two transactions. Each part is
    /// done even if another fails; the first failure is returned.
    pub async fn upkeep(&self, now: Timestamp) -> Result<()> {
        let used = self.write_down_use().await;
        let expired = self.expire_clients(now).await;
        let dropped = self.drop_old(now).await;
        used.and(expired).and(dropped)
    }

    async fn drop_old(&self, now: Timestamp) -> Result<()> {
        let cutoff = now.minus(self.limits.retention);
        while self.store.write(move |tx| retention::drop_events(tx, cutoff, BATCH)).await? == BATCH {}
        while self.store.write(|tx| retention::drop_memberships(tx, BATCH)).await? == BATCH {}
        while self.store.write(move |tx| retention::drop_tombstones(tx, cutoff, BATCH)).await? >= BATCH {}
        let cutoff = now.minus(self.limits.audit_retention);
        while self.store.write(move |tx| audit::expire(tx, cutoff, BATCH)).await? == BATCH {}
        while self.store.write(move |tx| label::expire(tx, now, BATCH)).await? == BATCH {}
        Ok(())
    }

    /// Writes down cursors and times of use that were gathered in memory.
    pub async fn write_down_use(&self) -> Result<()> {
        let ahead = self.callers.ahead().into_iter().map(|live| (live.cursor(), live.seen_at(), live));
        let ahead = ahead.collect::<Vec<_>>();
        for batch in ahead.chunks(BATCH) {
            let uses = batch.iter().map(|(cursor, seen_at, live)| (live.caller.client, *cursor, *seen_at));
            let uses = uses.collect::<Vec<_>>();
            self.store
                .write(move |tx| {
                    uses.iter().try_for_each(|(client, cursor, seen)| client::note_use(tx, *client, *cursor, *seen))
                })
                .await?;
            batch.iter().for_each(|(cursor, seen_at, live)| live.written(*cursor, *seen_at));
        }
        Ok(())
    }

    /// Lets clients leave that are past their lifetime, or were not used for too long.
    async fn expire_clients(&self, now: Timestamp) -> Result<()> {
        let idle_since = now.minus(self.limits.client_idle);
        loop {
            let left = self
                .store
                .write(move |tx| {
                    let due = client::due(tx, now, idle_since, BATCH)?;
                    for (session, client) in &due {
                        // One whose session ended with another of this batch has left already.
                        if client::require_live(tx, *client).is_ok() {
                            client::leave(tx, *session, *client, EndReason::Expired, None, now)?;
                        }
                    }
                    Ok(due.len())
                })
                .await?;
            if left < BATCH {
                return Ok(());
            }
        }
    }

    /// Writes down what is only in memory and stops the store.
    pub async fn close(&self) {
        if let Err(error) = self.write_down_use().await {
            tracing::error!(%error, "the clients' use could not be written down");
        }
        self.store.close();
    }
}
