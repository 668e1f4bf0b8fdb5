//! Statements and rows of SQLite.

use rusqlite::{
    CachedStatement, Connection, ToSql, params_from_iter,
    types::{ToSqlOutput, ValueRef as Stored},
};

use crate::{
    error::{Error, Result},
    store::engine::value::{Column, Value, ValueRef},
};

/// A statement that its connection keeps prepared.
pub struct Statement<'c>(CachedStatement<'c>);

impl<'c> Statement<'c> {
    /// Prepares a statement, or takes the one that the connection has kept.
    pub fn of(connection: &'c Connection, sql: &str) -> rusqlite::Result<Self> {
        connection.prepare_cached(sql).map(Self)
    }

    /// Reads the rows until `look` returns something.
    pub fn find<T>(
        &mut self,
        params: &[Value],
        mut look: impl FnMut(&rusqlite::Row) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let mut rows = self.0.query(params_from_iter(params))?;
        while let Some(row) = rows.next()? {
            if let found @ Some(_) = look(row)? {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Runs the statement. Returns how many rows it has changed.
    pub fn execute(&mut self, params: &[Value]) -> rusqlite::Result<usize> {
        self.0.execute(params_from_iter(params))
    }
}

/// A real write that changes nothing: it sets the version of the file to what it is. (SQLite does
/// not write a row whose update changes nothing.)
pub fn touch(sql: &Connection) -> rusqlite::Result<()> {
    let version: i32 = sql.pragma_query_value(None, "user_version", |row| row.get(0))?;
    sql.pragma_update(None, "user_version", version)
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => Stored::Null,
            Value::Integer(integer) => Stored::Integer(*integer),
            // STRICT tables have no flags.
            Value::Bool(flag) => Stored::Integer(i64::from(*flag)),
            Value::Text(text) => Stored::Text(text.as_bytes()),
            Value::Blob(bytes) => Stored::Blob(bytes),
        }))
    }
}

/// A column of a row. Fails with `internal_error` if there is none like this, or if it holds a
/// floating point number or a text that is not UTF-8.
pub fn value<'r>(row: &'r rusqlite::Row<'_>, column: Column) -> Result<ValueRef<'r>> {
    let stored = match column {
        Column::Name(name) => row.get_ref(name),
        Column::Position(position) => row.get_ref(position),
    };
    Ok(match stored? {
        Stored::Null => ValueRef::Null,
        Stored::Integer(integer) => ValueRef::Integer(integer),
        Stored::Text(text) => ValueRef::Text(std::str::from_utf8(text).map_err(Error::internal)?),
        Stored::Blob(bytes) => ValueRef::Blob(bytes),
        Stored::Real(_) => return Err(Error::internal("no column holds a floating point number")),
    })
}
