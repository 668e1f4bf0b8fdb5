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
    /// One round of everything; called about once a minute.
    pub async fn upkeep(&self, now: Timestamp) -> Result<()> {
        self.write_down_use().await?;
        self.expire_clients(now).await?;
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
        let ahead = self.callers.take_ahead();
        for batch in ahead.chunks(BATCH) {
            let batch = batch.to_vec();
            self.store
                .write(move |tx| {
                    batch
                        .iter()
                        .try_for_each(|live| client::note_use(tx, live.caller.client, live.cursor(), live.seen_at()))
                })
                .await?;
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
                    for caller in &due {
                        // One whose session ended with another of this batch has left already.
                        if client::require_live(tx, *caller).is_ok() {
                            client::leave(tx, *caller, EndReason::Expired, None, now)?;
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
