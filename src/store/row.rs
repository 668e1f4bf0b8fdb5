//! How the project's types are stored in columns. Each type has one way to be written and read, so
//! no query takes a value apart.

use rusqlite::{
    Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Error, Result},
    irc::mode::Mask,
    model::{
        AppId, Area, ChannelId, ChannelName, ClientId, EndReason, EventId, GrantEndId, GrantId,
        HashedPassword, Nick, RedirectUri, Scopes, SessionId, TargetId, Timestamp, Words,
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
    SessionId ChannelId TargetId ClientId EventId AppId GrantId GrantEndId
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

/// A list as a column: a JSON array.
pub(super) fn to_json<T: Serialize>(list: &Vec<T>) -> Result<String> {
    serde_json::to_string(list).map_err(Error::internal)
}

/// The list in a column.
pub(super) fn from_json<T: DeserializeOwned>(json: &str) -> rusqlite::Result<Vec<T>> {
    serde_json::from_str(json).map_err(|error| FromSqlError::Other(error.into()).into())
}

/// The channels in the column `res`, to which an app or a grant is confined. `None`: it is not.
pub(super) fn res(row: &Row) -> rusqlite::Result<Option<Vec<ChannelName>>> {
    let Some(names) = row.get_ref("res")?.as_str_or_null()? else {
        return Ok(None);
    };
    let names: Vec<String> = from_json(names)?;
    Ok(Some(names.into_iter().map(ChannelName::stored).collect()))
}

/// The redirect URIs in the column `redirect_uris`.
pub(super) fn redirect_uris(row: &Row) -> rusqlite::Result<Vec<RedirectUri>> {
    let uris: Vec<String> = from_json(row.get_ref("redirect_uris")?.as_str()?)?;
    Ok(uris.into_iter().map(RedirectUri::stored).collect())
}

/// A count as a parameter of a statement.
pub(super) fn as_sql(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// An interval of event ids, both ends included: a stay on a channel, or a time when it was +H.
pub struct Span {
    /// Its first event.
    pub since: EventId,
    /// Its last event. `None`: the interval is open.
    pub until: Option<EventId>,
}

impl Span {
    /// Reads the columns `since` and `until`.
    pub(super) fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            since: row.get("since")?,
            until: row.get("until")?,
        })
    }
}
