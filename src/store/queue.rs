//! A client's queue: a merge of its session's targets, read from a position on.

use std::collections::BTreeSet;

use super::transaction::Read;
use crate::{
    error::Result,
    model::{EventId, Page, SessionId},
};

mod merge;
pub mod one_statement;
mod page_size;

pub use page_size::{PAGE_BYTES, PageSize};

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
