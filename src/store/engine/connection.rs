//! The interface between the row functions and an engine: a connection, its statements and their
//! rows. There is one engine today. Another one is another variant of the three enums here, and no
//! row function changes.
//!
//! Every statement is one text for all engines, with numbered parameters (`?1`).

use super::{
    sqlite,
    value::{Column, FromColumn, Mismatch, Value, ValueRef},
};
use crate::error::{Error, Result};

/// A connection to the database, in a transaction.
#[derive(Clone, Copy)]
pub enum Connection<'c> {
    /// A connection to an SQLite file.
    Sqlite(&'c rusqlite::Connection),
}

impl<'c> From<&'c rusqlite::Connection> for Connection<'c> {
    fn from(connection: &'c rusqlite::Connection) -> Self {
        Self::Sqlite(connection)
    }
}

impl<'c> From<&'c rusqlite::Transaction<'_>> for Connection<'c> {
    fn from(transaction: &'c rusqlite::Transaction) -> Self {
        Self::Sqlite(transaction)
    }
}

impl<'c> Connection<'c> {
    /// Whether the engine is in this process, so that a statement costs no round trip.
    pub fn is_local(self) -> bool {
        match self {
            Self::Sqlite(_) => true,
        }
    }

    /// Prepares a statement. The connection keeps it prepared, so that it is planned once.
    pub fn prepare(self, sql: &str) -> Result<Statement<'c>> {
        match self {
            Self::Sqlite(connection) => {
                Ok(Statement::Sqlite(sqlite::Statement::of(connection, sql)?))
            }
        }
    }

    /// The connection to the SQLite file, for statements that a test runs itself.
    #[cfg(test)]
    pub fn sqlite(self) -> &'c rusqlite::Connection {
        let Self::Sqlite(connection) = self;
        connection
    }

    /// Writes something that changes nothing, to see whether the database can be written.
    pub fn touch(self) -> Result<()> {
        match self {
            Self::Sqlite(connection) => Ok(sqlite::touch(connection)?),
        }
    }
}

/// A prepared statement.
pub enum Statement<'c> {
    /// A statement of SQLite.
    Sqlite(sqlite::Statement<'c>),
}

impl Statement<'_> {
    /// Reads the rows until `look` returns something, and returns that. `None`: no row did.
    pub fn find<T>(
        &mut self,
        params: &[Value],
        mut look: impl FnMut(&Row) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        match self {
            Self::Sqlite(statement) => statement.find(params, |row| look(&Row::Sqlite(row))),
        }
    }

    /// Reads the first row. `None`: there is none.
    pub fn optional<T>(
        &mut self,
        params: &[Value],
        mut read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        self.find(params, |row| read(row).map(Some))
    }

    /// Reads the first row. Fails with `internal_error` if there is none.
    pub fn one<T>(&mut self, params: &[Value], read: impl FnMut(&Row) -> Result<T>) -> Result<T> {
        self.optional(params, read)?
            .ok_or_else(|| Error::internal("a statement found no row"))
    }

    /// Reads all rows.
    pub fn all<T>(
        &mut self,
        params: &[Value],
        mut read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.for_each(params, |row| read(row).map(|read| all.push(read)))?;
        Ok(all)
    }

    /// Calls `each` for every row.
    pub fn for_each(
        &mut self,
        params: &[Value],
        mut each: impl FnMut(&Row) -> Result<()>,
    ) -> Result<()> {
        self.find(params, |row| each(row).map(|()| None::<()>))
            .map(drop)
    }

    /// Whether there is a row.
    pub fn exists(&mut self, params: &[Value]) -> Result<bool> {
        Ok(self.find(params, |_| Ok(Some(())))?.is_some())
    }

    /// Runs a statement that returns no rows. Returns how many rows it has changed.
    pub fn execute(&mut self, params: &[Value]) -> Result<usize> {
        match self {
            Self::Sqlite(statement) => Ok(statement.execute(params)?),
        }
    }

    /// Like [`Self::execute`]. Fails with `taken` if the statement violates a UNIQUE constraint.
    pub fn execute_unique(
        &mut self,
        params: &[Value],
        taken: impl FnOnce() -> Error,
    ) -> Result<usize> {
        match self {
            Self::Sqlite(statement) => sqlite::error::on_unique(statement.execute(params), taken),
        }
    }
}

/// A row that a statement returns.
pub enum Row<'r> {
    /// A row of SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
}

impl Row<'_> {
    /// A column. Fails with `internal_error` if there is none like this, or if it holds something
    /// else than a `T`.
    pub fn get<'n, T: FromColumn>(&self, column: impl Into<Column<'n>>) -> Result<T> {
        let column = column.into();
        T::from_column(self.value(column)?).map_err(|why| unexpected(column, why))
    }

    /// A text, without a copy. Fails with `internal_error` if there is no such column, or if it
    /// holds something else.
    pub fn text<'n>(&self, column: impl Into<Column<'n>>) -> Result<&str> {
        let column = column.into();
        let text = self.value(column)?.text();
        text.map_err(|why| unexpected(column, why))
    }

    /// A text, without a copy. `None`: it is NULL. Fails like [`Self::text`].
    pub fn optional_text<'n>(&self, column: impl Into<Column<'n>>) -> Result<Option<&str>> {
        let column = column.into();
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            value => value
                .text()
                .map(Some)
                .map_err(|why| unexpected(column, why)),
        }
    }

    fn value(&self, column: Column) -> Result<ValueRef<'_>> {
        match self {
            Self::Sqlite(row) => sqlite::value(row, column),
        }
    }
}

/// The error that a column does not hold what its reader expects (`internal_error`).
fn unexpected(column: Column, why: Mismatch) -> Error {
    Error::internal(format!("the column {column:?}: {why}"))
}
