//! How the project's types are stored in columns. Each type has one way to be written and read, so
//! no query takes a value apart.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};

use super::engine::{
    connection::Row,
    value::{FromColumn, Mismatch, ToColumn, Value, ValueRef},
};
use crate::{
    error::{Error, Result},
    irc::mask::Mask,
    model::{
        AppId, Area, ChannelId, ChannelName, ClientId, EndReason, EventId, GrantId, HashedPassword,
        Nick, RedirectUri, RevocationId, Scopes, SessionId, TargetId, Timestamp, Words,
    },
    secret::{KeyId, SecretHash, UserCodeHash},
};

/// Newtypes of integers, texts and hashes: stored as their inner value.
macro_rules! newtypes {
    ($($name:ident)*) => {$(
        impl ToColumn for $name {
            fn to_column(&self) -> Value<'_> {
                self.0.to_column()
            }
        }

        impl FromColumn for $name {
            fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
                FromColumn::from_column(value).map(Self)
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
        impl ToColumn for $name {
            fn to_column(&self) -> Value<'_> {
                self.as_str().to_column()
            }
        }

        impl FromColumn for $name {
            fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
                String::from_column(value).map(Self::stored)
            }
        }
    )*};
}

checked_texts!(Nick ChannelName Mask);

impl ToColumn for HashedPassword {
    fn to_column(&self) -> Value<'_> {
        self.as_phc().to_column()
    }
}

impl FromColumn for HashedPassword {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        String::from_column(value).map(Self::from_phc)
    }
}

impl ToColumn for Scopes {
    fn to_column(&self) -> Value<'_> {
        Value::Text(Cow::Owned(self.to_string()))
    }
}

impl FromColumn for Scopes {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        value.text().map(Self::stored)
    }
}

impl ToColumn for EndReason {
    fn to_column(&self) -> Value<'_> {
        self.name().to_column()
    }
}

impl FromColumn for EndReason {
    /// A reason that a later version wrote is read as the general one.
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        Ok(Self::parse(value.text()?).unwrap_or(Self::Revoked))
    }
}

impl ToColumn for Area {
    fn to_column(&self) -> Value<'_> {
        Value::Integer(self.to_bits().cast_signed())
    }
}

impl FromColumn for Area {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        Ok(Self::from_bits(value.integer()?.cast_unsigned()))
    }
}

/// A list as a column: a JSON array.
pub(super) fn to_json<T: Serialize>(list: &Vec<T>) -> Result<String> {
    serde_json::to_string(list).map_err(Error::internal)
}

/// The list in a column.
pub(super) fn from_json<T: DeserializeOwned>(json: &str) -> Result<Vec<T>> {
    serde_json::from_str(json).map_err(Error::internal)
}

/// The channels in the column `res`, to which an app or a grant is confined. `None`: it is not.
pub(super) fn res(row: &Row) -> Result<Option<Vec<ChannelName>>> {
    let Some(names) = row.optional_text("res")? else {
        return Ok(None);
    };
    let names: Vec<String> = from_json(names)?;
    Ok(Some(names.into_iter().map(ChannelName::stored).collect()))
}

/// The redirect URIs in the column `redirect_uris`.
pub(super) fn redirect_uris(row: &Row) -> Result<Vec<RedirectUri>> {
    let uris: Vec<String> = from_json(row.text("redirect_uris")?)?;
    Ok(uris.into_iter().map(RedirectUri::stored).collect())
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
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            since: row.get("since")?,
            until: row.get("until")?,
        })
    }
}
