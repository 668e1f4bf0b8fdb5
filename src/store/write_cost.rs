//! The cost of one write: which network pays for the bytes that it adds to the disk.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use super::{engine::value::params, transaction::Write};
use crate::{
    error::Result,
    limits::{self, Author, Receipt, Storage},
    model::{Network, SessionId, Timestamp},
};

/// Why a write may be refused: its network has added as much as it may, or the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A write that ends something or serves a reader. Neither limit refuses it: on a full disk it
    /// may use the whole reserve.
    Essential,
    /// A write that lets a caller in, such as a login or a token. The storage limit does not refuse
    /// it. On a full disk it may use a part of the reserve.
    Entry,
    /// A write that records what strangers tried. Only a full disk refuses it.
    Record,
    /// Every other write that adds something. Both limits refuse it.
    Ordinary,
}

/// The counts of bytes per network. It stays empty in subcommands and tests, which have no limit.
pub type Counted = Arc<OnceLock<Storage>>;

/// The cost of one write.
pub struct WriteCost {
    counted: Counted,
    /// Which limits may refuse the write.
    pub priority: Priority,
    /// The address that asked for the write. `None`: the server writes on its own behalf.
    pub requester: Option<IpAddr>,
    /// The bytes that the write has added so far.
    pub added: u64,
    charged: Option<Receipt>,
}

impl WriteCost {
    /// The cost of a write for the address on whose behalf the current task runs.
    pub fn of_task(counted: Counted, priority: Priority) -> Self {
        Self {
            counted,
            priority,
            requester: limits::requester(),
            added: 0,
            charged: None,
        }
    }

    /// The network that asked for the write.
    pub fn network(&self) -> Option<Network> {
        self.requester.map(Network::of)
    }

    /// Charges the network for what the write has added. Fails if that exceeds its limit, unless
    /// the priority exempts it.
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

    /// Gives back what was charged for a write that was undone.
    pub fn refund(&mut self) {
        self.added = 0;
        if let (Some(storage), Some(receipt)) = (self.counted.get(), self.charged.take()) {
            storage.refund(receipt);
        }
    }
}

/// The session that a transaction works for, and the time when it was created.
fn author(tx: &Write) -> Result<Option<(SessionId, Timestamp)>> {
    let Some(session) = tx.author.get() else {
        return Ok(None);
    };
    let created = tx.optional(
        "SELECT created_at FROM session WHERE id = ?1",
        params![session],
        |row| row.get(0),
    )?;
    Ok(created.map(|created_at| (session, Timestamp(created_at))))
}
