//! The time of a request, by both clocks that count.

use super::timestamp::Timestamp;

/// The time of a request. It is taken from the [`Clock`](super::Clock) once, so that everything
/// that a request does happens at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time of day. Events and records carry it.
    pub now: Timestamp,
    /// The time that expiries are compared with. It follows the elapsed time while the time of day
    /// is not trusted, so the two may differ.
    pub due: Timestamp,
}
