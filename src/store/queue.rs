//! A client's queue: a merge of its session's targets, read from a position on.

use std::collections::BTreeSet;

use super::transaction::Read;
use crate::{
    error::Result,
    model::{EventId, Page, SessionId},
};

mod merge;
pub mod one_statement;

/// The bytes of messages after which a page ends, however few the messages are. The bound matters
/// because an answer is held in memory until its reader has received it.
pub const PAGE_BYTES: usize = 256 * 1024;

/// How much a page holds.
#[derive(Clone, Copy, Debug)]
pub struct PageSize {
    /// The most events.
    pub events: usize,
    /// A page ends after the event with which it takes this many bytes or more.
    pub bytes: usize,
}

impl From<usize> for PageSize {
    fn from(events: usize) -> Self {
        Self {
            events,
            bytes: PAGE_BYTES,
        }
    }
}

/// The events of a session's targets past `after`, in order, as many as a page of this size holds.
/// With `within`, only those of channels with these folded names: a caller that is confined to
/// channels does not receive what is addressed to the session itself.
///
/// It is a merge of lanes: one of the session itself, and one of each stay on a channel. An engine
/// in this process reads each lane a little at a time. An engine that is reached over a network gets
/// one statement, because each statement costs a round trip. The cost depends on the page, on the
/// number of channels and on the number of stays that ended past `after`, never on the backlog.
pub fn page(
    tx: &Read,
    session: SessionId,
    within: Option<&BTreeSet<String>>,
    after: EventId,
    size: impl Into<PageSize>,
) -> Result<Page> {
    let size = size.into();
    if tx.is_local() {
        merge::page(tx, session, within, after, size)
    } else {
        one_statement::page(tx, session, within, after, size)
    }
}
