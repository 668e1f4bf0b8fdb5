//! How the project's types are stored in columns, for the files that still name the engine.

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::de::DeserializeOwned;

use super::row::Span;
use crate::{
    irc::mask::Mask,
    model::{
        AppId, Area, ChannelId, ChannelName, ClientId, EndReason, EventId, GrantId, HashedPassword,
        Nick, RevocationId, Scopes, SessionId, TargetId, Timestamp, Words,
    },
    secret::{KeyId, SecretHash, UserCodeHash},
};

/// Newtypes of integers, texts and hashes: stored as their inner value.
macro_rules! newtypes {
    ($($name:ident)*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                FromSql::column_result(value).map(Self)
            }
        }
    )*};
}

newtypes! {
    SessionId ChannelId TargetId ClientId EventId AppId GrantId RevocationId
    Timestamp Words SecretHash UserCodeHash KeyId
}

/// Names that were checked before they were stored: stored as text, and read without a check.
macro_rules! checked_texts {
    ($($name:ident)*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.as_str().to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                String::column_result(value).map(Self::stored)
            }
        }
    )*};
}

checked_texts!(Nick ChannelName Mask);

impl ToSql for HashedPassword {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_phc().to_sql()
    }
}

impl FromSql for HashedPassword {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        String::column_result(value).map(Self::from_phc)
    }
}

impl ToSql for Scopes {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

impl FromSql for Scopes {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(Self::stored)
    }
}

impl ToSql for EndReason {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.name().to_sql()
    }
}

impl FromSql for EndReason {
    /// A reason that a later version wrote is read as the general one.
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self::parse(value.as_str()?).unwrap_or(Self::Revoked))
    }
}

impl ToSql for Area {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_bits().cast_signed().into())
    }
}

impl FromSql for Area {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self::from_bits(value.as_i64()?.cast_unsigned()))
    }
}

/// The list in a column.
pub(super) fn from_json<T: DeserializeOwned>(json: &str) -> rusqlite::Result<Vec<T>> {
    serde_json::from_str(json).map_err(|error| FromSqlError::Other(error.into()).into())
}

/// A count as a parameter of a statement.
pub(super) fn as_sql(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Reads the columns `since` and `until`.
pub(super) fn span(row: &rusqlite::Row) -> rusqlite::Result<Span> {
    Ok(Span {
        since: row.get("since")?,
        until: row.get("until")?,
    })
}
