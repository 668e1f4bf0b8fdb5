//! How much a page holds.

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
