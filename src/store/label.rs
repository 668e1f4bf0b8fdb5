//! Labels: the answer to a labelled command, kept so that the client can repeat the command safely.

use std::time::Duration;

use super::{
    engine::value::params,
    size::HASH,
    transaction::{Read, Write},
};
use crate::{
    error::{Code, Error, Result},
    model::{ClientId, Timestamp},
};

/// How long a label is kept.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// The most labels that are kept of a client.
const KEPT: i64 = 256;
/// The most bytes of answers that are kept of a client.
const KEPT_BYTES: i64 = 1024 * 1024;

/// The answer to this label, as it was stored. `None`: the label is new, or its answer is not kept
/// any more ([`keep`], [`expire`]). Fails with `label_reused` if the label stands for another
/// command.
pub fn find(
    tx: &Read,
    client: ClientId,
    label: &str,
    command: &[u8; 32],
) -> Result<Option<String>> {
    let found = tx.optional(
        "SELECT command, answer FROM label WHERE client_id = ?1 AND label = ?2",
        params![client, label],
        |row| Ok((row.get::<[u8; 32]>(0)?, row.get::<String>(1)?)),
    )?;
    match found {
        Some((known, _)) if known != *command => Err(reused()),
        found => Ok(found.map(|(_, answer)| answer)),
    }
}

/// The refusal of a label that stands for another command.
pub fn reused() -> Error {
    Error::new(
        Code::LabelReused,
        "this label was already used for another command",
    )
}

/// Stores an answer. Removes the client's oldest answers if it has too many.
pub fn keep(
    tx: &Write,
    client: ClientId,
    label: &str,
    command: &[u8; 32],
    answer: &str,
    now: Timestamp,
) -> Result<()> {
    tx.add_row(2 * label.len() + HASH + answer.len(), 4);
    let insert = || {
        tx.execute(
            "INSERT INTO label (client_id, label, command, answer, time)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            params![client, label, command, answer, now],
        )
    };
    if insert()? == 0 {
        // Two equal queries have overlapped: both found no answer, and the other one stored its own
        // first. This answer is newer, so it replaces that one and gets an id of its own.
        tx.execute(
            "DELETE FROM label WHERE client_id = ?1 AND label = ?2",
            params![client, label],
        )?;
        insert()?;
    }
    tx.execute(
        "DELETE FROM label WHERE client_id = ?1
         AND id <= (SELECT id FROM label WHERE client_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        params![client, KEPT],
    )?;
    // As many short answers as a client may keep fit into the bytes anyway.
    if answer.len() > (KEPT_BYTES / KEPT) as usize {
        tx.execute(
            "DELETE FROM label WHERE id IN (
                 SELECT id FROM (
                     SELECT id, sum(length(answer)) OVER (ORDER BY id DESC) AS held
                     FROM label WHERE client_id = ?1) AS newest
                 WHERE held > CAST(?2 AS BIGINT))",
            params![client, KEPT_BYTES],
        )?;
    }
    Ok(())
}

/// Removes the labels of a client that has ended.
pub fn remove_of_client(tx: &Write, client: ClientId) -> Result<()> {
    tx.execute("DELETE FROM label WHERE client_id = ?1", params![client])?;
    Ok(())
}

/// Removes a batch of labels that are older than 24 hours. Returns how many.
pub fn expire(tx: &Write, now: Timestamp, batch: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM label WHERE id IN (SELECT id FROM label WHERE time <= ?1 LIMIT ?2)",
        params![now.minus(KEPT_FOR), batch],
    )
}
