//! The words of the project as types: ids, names, times, events. Pure; parsing happens here once,
//! at the edge.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::error::{Code, Error, Result};

mod address;
mod arrival;
mod clock;
mod name;
mod number;
mod origin;
mod password;
mod redirect;
mod scope;
pub mod text;
mod words;

pub use address::{AddressFamily, Area, ClientAddress, Network, NetworkWidth};
pub use arrival::Arrival;
pub use clock::Clock;
pub use name::{ChannelName, Nick, Target, checked_name, required_name};
pub use number::whole_number;
pub use origin::{HostPort, Origin, is_percent_encoded};
pub use password::{HashedPassword, PASSWORD_LENGTH, Password};
pub use redirect::RedirectUri;
pub use scope::{Scope, Scopes};
pub use words::Words;

/// The source of replies, and of notices that the server itself sends. The dot keeps it from ever
/// being a nick.
pub const SERVER_NAME: &str = "rejoin.server";

/// Bytes of text in a PRIVMSG or NOTICE.
pub const TEXT_LIMIT: usize = 4096;
/// Lines of text in a PRIVMSG or NOTICE.
pub const LINES_LIMIT: usize = 100;
/// Bytes of a topic, and of the reason of an AWAY, KICK, PART or QUIT.
pub const REASON_LIMIT: usize = 1024;
/// Characters of a nick.
pub const NICK_LIMIT: usize = 32;
/// Bytes of a channel's name, with its `#`.
pub const CHANNEL_LIMIT: usize = 64;
/// Characters of a label.
pub const LABEL_LIMIT: usize = 64;
/// Characters of a client's name, and of an app's.
pub const CLIENT_NAME_LIMIT: usize = 64;
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A session. Never reused.
    SessionId;
    /// A channel. Never reused: a channel made anew under an old name is another channel.
    ChannelId;
    /// Where events are addressed: a session's or a channel's id, which come from one sequence.
    TargetId;
    /// A client. Never reused.
    ClientId;
    /// An event's position in the log. Never reused; order is by id, never by time.
    EventId;
    /// An app: what OAuth calls a client. Never reused.
    AppId;
    /// A grant: what an app may do as a session. Never reused.
    GrantId;
    /// A position in the ends of grants, which are numbered in commit order. Never reused.
    GrantEndId;
}

impl From<SessionId> for TargetId {
    fn from(id: SessionId) -> Self {
        Self(id.0)
    }
}

impl From<ChannelId> for TargetId {
    fn from(id: ChannelId) -> Self {
        Self(id.0)
    }
}

/// Milliseconds since the Unix epoch, written as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// The time from `earlier` until this; none, if this came first.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).try_into().unwrap_or(0))
    }

    /// Whole seconds since the epoch, as IRC's numerics want them.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Rfc3339::of(*self).as_str())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Rfc3339::of(*self).as_str())
    }
}

/// A time as text. Every event and every answer has such times, so it is written digit by digit,
/// which is the quickest.
struct Rfc3339([u8; 24]);

impl Rfc3339 {
    fn of(Timestamp(millis): Timestamp) -> Self {
        let time = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut write = |end: usize, mut number: u32| {
            let mut at = end;
            while number > 0 {
                at -= 1;
                text[at] = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        write(4, time.year().unsigned_abs());
        write(7, u8::from(time.month()).into());
        write(10, time.day().into());
        write(13, time.hour().into());
        write(16, time.minute().into());
        write(19, time.second().into());
        write(23, millis.rem_euclid(1000) as u32);
        Self(text)
    }

    fn as_str(&self) -> &str {
        // All of it is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Who calls: the session and client that a presented secret names, and what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub session: SessionId,
    pub client: ClientId,
    pub scope: Scopes,
    /// What it acts by; a cookie is by no grant.
    pub grant: Option<GrantId>,
    /// Whether that confines it to some of the session's channels.
    pub confined: bool,
}

impl Caller {
    /// Refuses what it may not do. Whatever manages the session goes beyond any channels of it.
    pub fn require(self, needed: Scope) -> Result<()> {
        match self.scope.allow(needed) {
            true if self.confined && needed == Scope::SessionManage => Err(Error::confined()),
            true => Ok(()),
            false => Err(Error::insufficient_scope(needed)),
        }
    }

    /// The refusal of a caller whose client has left: of a cookie that is one thing, of a token
    /// another (RFC 6750 §3.1).
    pub fn ended(self, reason: EndReason) -> Error {
        let ended = Error::client_ended(reason);
        if self.grant.is_some() {
            Error {
                code: Code::InvalidToken,
                ..ended
            }
        } else {
            ended
        }
    }
}

/// Why a client left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    Quit,
    LoggedOut,
    Removed,
    Expired,
    Revoked,
    SessionEnded,
}

impl EndReason {
    pub const ALL: [Self; 6] = [
        Self::Quit,
        Self::LoggedOut,
        Self::Removed,
        Self::Expired,
        Self::Revoked,
        Self::SessionEnded,
    ];

    /// The reason on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::LoggedOut => "logged_out",
            Self::Removed => "removed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::SessionEnded => "session_ended",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The reason in words, for its holder and as the reason of a QUIT that gave none.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::LoggedOut => "logged out",
            Self::Removed => "removed by another client of the session",
            Self::Expired => "expired",
            Self::Revoked => "its access was revoked",
            Self::SessionEnded => "the session was ended",
        }
    }
}

/// One thing that happened, as an IRC message.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: EventId,
    pub time: Timestamp,
    pub source: String,
    pub command: String,
    pub params: Vec<String>,
    /// The client whose command it came from, and the label it gave; the label is shown to that
    /// client alone.
    pub origin: Option<(ClientId, Option<String>)>,
    /// The name of the app through whose grant it came.
    pub app: Option<String>,
}

impl Event {
    /// The label as `client` may see it.
    pub fn label_for(&self, client: ClientId) -> Option<&str> {
        match &self.origin {
            Some((origin, label)) if *origin == client => label.as_deref(),
            _ => None,
        }
    }
}

/// A client as its siblings see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClientView {
    #[schema(value_type = i64)]
    pub id: ClientId,
    pub name: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// The end of its lifetime, used or not.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Shown to the session's devices that came by a cookie, and to no key and no app. Unknown of a
    /// client that was let in before this was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub address: Option<ClientAddress>,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl ClientView {
    /// Leaves out what a caller is not shown: where devices come from is for those who came by a
    /// cookie.
    pub fn show_to(&mut self, caller: Caller) {
        if caller.grant.is_some() {
            self.address = None;
        }
    }
}

/// What a session has not read of a channel or an exchange of direct messages: what other sessions
/// said there past its read mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Unread {
    /// How many messages, PRIVMSG and NOTICE; they are counted from the newest back and up to 100,
    /// which means 100 or more.
    pub count: u32,
    /// Whether in the text of one of those that were counted the session's present nick is a word,
    /// in whatever case.
    pub mention: bool,
}

/// A page of a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub events: Vec<Event>,
    /// How far the log was read, whether or not anything was the client's.
    pub next: EventId,
    /// Whether the page ended before what there is did.
    pub more: bool,
    /// The first and last id of a stretch in which retention removed events that were the client's.
    pub gap: Option<(EventId, EventId)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc_with_milliseconds() {
        assert_eq!(
            Timestamp(1_795_230_245_678).to_string(),
            "2026-11-21T03:04:05.678Z"
        );
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
