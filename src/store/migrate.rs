//! The versions of the schema. `schema.sql` is the newest one, and [`STEPS`] carries an older
//! database there, one version a step.
//!
//! The steps are SQLite's: it changes tables in its own way. Therefore this file names `rusqlite`.

use rusqlite::Connection;

use crate::model::Timestamp;

/// The newest schema, for a database that is created.
const SCHEMA: &str = include_str!("../../schema.sql");

/// Marks a database as Rejoin's (`PRAGMA application_id`): "rjoi".
const APPLICATION_ID: i32 = 0x726a_6f69;
/// Marks a copy of a database that was never opened since: "rjoc".
pub const COPY: i32 = 0x726a_6f63;

/// `STEPS[n]` turns version n + 1 into version n + 2. Each step is a file named for the version
/// that it leads to. Version 0 is an empty file.
const STEPS: &[&str] = &[
    include_str!("migrate/02.sql"),
    include_str!("migrate/03.sql"),
    include_str!("migrate/04.sql"),
    include_str!("migrate/05.sql"),
    include_str!("migrate/06.sql"),
    include_str!("migrate/07.sql"),
    include_str!("migrate/08.sql"),
    include_str!("migrate/09.sql"),
    include_str!("migrate/10.sql"),
    include_str!("migrate/11.sql"),
    include_str!("migrate/12.sql"),
    include_str!("migrate/13.sql"),
    include_str!("migrate/14.sql"),
    include_str!("migrate/15.sql"),
    include_str!("migrate/16.sql"),
    include_str!("migrate/17.sql"),
    include_str!("migrate/18.sql"),
    include_str!("migrate/19.sql"),
    include_str!("migrate/20.sql"),
    include_str!("migrate/21.sql"),
    include_str!("migrate/22.sql"),
    include_str!("migrate/23.sql"),
    include_str!("migrate/24.sql"),
    include_str!("migrate/25.sql"),
    include_str!("migrate/26.sql"),
    include_str!("migrate/27.sql"),
];

const VERSION: i32 = STEPS.len() as i32 + 1;

/// Checks that this database is one of ours that we can open. The inner error says why not.
pub fn check(connection: &Connection) -> rusqlite::Result<Result<(), String>> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (version, application) = (pragma("user_version")?, pragma("application_id")?);
    Ok(if tables == 0 && version == 0 {
        Ok(())
    } else if application != APPLICATION_ID && application != COPY {
        Err("is a database of another application".into())
    } else if version > VERSION {
        Err(format!(
            "was written by a newer version of rejoin (its schema has version {version}; this \
             program supports up to {VERSION})"
        ))
    } else {
        Ok(())
    })
}

/// Turns a copy of a database into a database of its own, in one transaction. It must not issue an
/// id again that the original issued after the copy was made, or that another restore of the same
/// copy issued, because clients know those ids. Its ids therefore go on at the current time, which
/// is later at each restore, and higher than even a wrong clock could have reached. Approvals that
/// were not redeemed when the copy was made are void: they may have been withdrawn or redeemed
/// since.
pub fn adopt(connection: &mut Connection, now: Timestamp) -> rusqlite::Result<()> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != COPY {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    // A table that was empty in the copy has no row there yet.
    transaction.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT name, 0 FROM sqlite_schema
         WHERE sql LIKE '%AUTOINCREMENT%' AND name NOT IN (SELECT name FROM sqlite_sequence)",
        [],
    )?;
    for raise in [
        "UPDATE sqlite_sequence SET seq = max(seq + (1 << 32), ?1)",
        "UPDATE log SET head = max(head + (1 << 32), ?1), revocation = max(revocation + (1 << 32), ?1)",
    ] {
        transaction.execute(raise, [now.0 << 10])?;
    }
    void_approvals(&transaction)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()
}

/// Voids every approval in a copy of a database, because its session may have withdrawn it after
/// the copy was made.
fn void_approvals(sql: &Connection) -> rusqlite::Result<()> {
    sql.execute_batch(
        "DELETE FROM authorization_code WHERE used_at IS NULL;
         UPDATE device_code SET denied = 1, session_id = NULL, client_id = NULL, res = NULL WHERE session_id IS NOT NULL;",
    )
}

/// Brings the schema to its newest version, in one transaction.
pub fn run(connection: &mut Connection) -> rusqlite::Result<()> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    match usize::try_from(version).unwrap_or(0) {
        0 => {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        // A copy stays marked as one until it is adopted.
        known => STEPS[known - 1..]
            .iter()
            .try_for_each(|step| transaction.execute_batch(step))?,
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

#[cfg(test)]
mod tests;
