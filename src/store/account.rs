//! Who is charged for what a job adds to the disk.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use rusqlite::OptionalExtension;

use super::transaction::Write;
use crate::{
    error::Result,
    limits::{self, Author, Receipt, Storage},
    model::{Network, SessionId, Timestamp},
};

/// What may refuse a job: that its network has added as much as it may, or that the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// It ends something, or serves somebody who reads. Neither refuses it: on a full disk it has
    /// the reserve.
    Essential,
    /// It lets somebody in. The storage limit does not refuse it, and on a full disk it has a part
    /// of the reserve.
    Entry,
    /// It records what strangers tried. The storage limit does not refuse it, a full disk does.
    Record,
    /// Everything else that adds something. Either refuses it.
    Ordinary,
}

/// The counts of what is added, once there are any: subcommands and tests do without.
pub type Counted = Arc<OnceLock<Storage>>;

/// The account of one job.
pub struct Account {
    counted: Counted,
    pub priority: Priority,
    /// The address that asked for it. `None`: the server does it by itself.
    pub requester: Option<IpAddr>,
    /// Bytes that it has added.
    pub added: u64,
    charged: Option<Receipt>,
}

impl Account {
    /// An account of the address that this task works for.
    pub fn of_task(counted: Counted, priority: Priority) -> Self {
        Self {
            counted,
            priority,
            requester: limits::requester(),
            added: 0,
            charged: None,
        }
    }

    /// The network that asked for it.
    pub fn network(&self) -> Option<Network> {
        self.requester.map(Network::of)
    }

    /// Charges what the job has added; refused if that is too much.
    pub fn charge(&mut self, tx: &Write) -> Result<()> {
        self.added = tx.added();
        let (Some(storage), Some(network), bytes @ 1..) =
            (self.counted.get(), self.network(), self.added)
        else {
            return Ok(());
        };
        let author = Author {
            network,
            session: author(tx)?,
        };
        self.charged = Some(storage.charge(author, bytes, self.priority != Priority::Ordinary)?);
        Ok(())
    }

    /// Gives back what was charged for something that came to nothing.
    pub fn refund(&mut self) {
        self.added = 0;
        if let (Some(storage), Some(receipt)) = (self.counted.get(), self.charged.take()) {
            storage.refund(receipt);
        }
    }
}

/// The session that a transaction works for, and when it was created.
fn author(tx: &Write) -> Result<Option<(SessionId, Timestamp)>> {
    let Some(session) = tx.author.get() else {
        return Ok(None);
    };
    let created = tx
        .sql
        .prepare_cached("SELECT created_at FROM session WHERE id = ?1")?;
    let created = { created }
        .query_row([session], |row| row.get(0))
        .optional()?;
    Ok(created.map(|created_at| (session, Timestamp(created_at))))
}
