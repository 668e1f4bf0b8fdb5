//! The lifetimes of clients: prolonged, warned of, and over.

use super::{
    engine::value::params,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{ClientId, SessionId, Timestamp},
};

/// Extends a client's lifetime to `until`, after its app has authenticated again.
pub fn prolong(tx: &Write, client: ClientId, until: Timestamp, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE client SET expires_at = ?2,
             seen_at = CASE WHEN seen_at < ?3 THEN ?3 ELSE seen_at END, warned = FALSE
         WHERE id = ?1",
        params![client, until, now],
    )
    .map(drop)
}

/// A batch of live clients that are due to end: they have expired, they were last seen at
/// `idle_since` or before, or they have had a secret since `unpresented_since` or before and never
/// presented it.
pub fn due(
    tx: &Read,
    now: Timestamp,
    idle_since: Timestamp,
    unpresented_since: Timestamp,
    batch: usize,
) -> Result<Vec<(SessionId, ClientId)>> {
    tx.all(
        "SELECT session_id, id FROM client WHERE ended_at IS NULL AND expires_at <= ?1
         UNION
         SELECT session_id, id FROM client WHERE ended_at IS NULL AND seen_at <= ?2
         UNION
         SELECT session_id, id FROM client WHERE ended_at IS NULL AND unpresented <= ?3
         LIMIT ?4",
        params![now, idle_since, unpresented_since, batch],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// A device that is about to expire.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Its session.
    pub session: SessionId,
    /// The device.
    pub client: ClientId,
    /// Its name for display.
    pub name: String,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether it acts by a cookie. If so, logging in again renews it.
    pub by_cookie: bool,
}

/// The devices that are about to expire. The index of those that were not warned answers it, so
/// that it costs nothing while all of them are warned.
const ENDING: &str = "SELECT session_id, id, name, expires_at, grant_id IS NULL FROM client
     WHERE ended_at IS NULL AND NOT key AND NOT warned AND expires_at <= ?1
     ORDER BY expires_at LIMIT ?2";

/// A batch of the live devices that expire by `until` and whose session was not warned yet, in the
/// order in which they expire.
pub fn ending(tx: &Read, until: Timestamp, batch: usize) -> Result<Vec<Ending>> {
    tx.all(ENDING, params![until, batch], |row| {
        Ok(Ending {
            session: row.get(0)?,
            client: row.get(1)?,
            name: row.get(2)?,
            expires_at: row.get(3)?,
            by_cookie: row.get(4)?,
        })
    })
}

/// Records that a client's session was warned that the client is about to expire.
pub fn note_warned(tx: &Write, client: ClientId) -> Result<()> {
    tx.execute(
        "UPDATE client SET warned = TRUE WHERE id = ?1",
        params![client],
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::open_in_memory;

    #[test]
    fn devices_that_were_warned_already_are_not_read_again() {
        let database = open_in_memory();
        let plan: String = Read::of(&database)
            .one(
                &format!("EXPLAIN QUERY PLAN {ENDING}"),
                params![Timestamp(0), 1_usize],
                |row| row.get("detail"),
            )
            .unwrap();
        assert!(plan.contains("client_unwarned"), "{plan}");
    }
}
