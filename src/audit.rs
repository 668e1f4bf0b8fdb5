//! The audit log's words: what happened to sessions, clients, keys and grants, without secrets.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::{
    error::Code,
    model::{ClientId, EndReason, SessionId, Timestamp, text::with_hidden_escaped},
};

/// What can happen that is worth a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    SessionCreated,
    ClientCreated,
    LoginOk,
    LoginFailed,
    /// The password was right, and yet nobody was let in.
    LoginRefused(Code),
    PasswordSet,
    PasswordChanged,
    /// A wrong current password was given to change it.
    PasswordRefused,
    ClientLeft(EndReason),
    SessionEnded(EndReason),
    KeyIssued,
    KeyRotated,
    KeyRenamed,
    KeyRevoked(EndReason),
    /// The operator registered an app.
    AppAdded,
    /// The operator gave an app a new secret.
    AppRotated,
    /// The operator removed an app, and with it all that it was granted.
    AppRemoved,
    /// The operator put a copy in the place of the database, and had the credentials in it ended or
    /// not.
    Restored {
        credentials_ended: bool,
    },
    /// The operator, not the session, did what the following lines tell of it.
    ByOperator,
    GrantIssued,
    /// New tokens for a refresh token.
    GrantRefreshed,
    /// New tokens for a code of a session that had granted the app as much before.
    GrantJoined,
    /// A refresh token that was used before came back: somebody else has it, and the grant ends.
    ReuseDetected,
    GrantRevoked(EndReason),
    /// The session let an app sign it in.
    ConsentGiven,
    ConsentDenied,
    /// The session let a device join by the code it shows.
    DeviceApproved,
    DeviceDenied,
    /// The session took back what it had approved for an app.
    ApprovalWithdrawn,
    /// The operator gave op on a channel to a session.
    OpGiven,
    /// The operator ended a channel.
    ChannelEnded,
    /// A limit was reached; told once in an hour for whatever it is counted by.
    Throttled(Limit),
    /// A wrong key of a channel was given to join it.
    ChannelKeyRefused,
    /// Refusals of so many kinds that they are told of together.
    Refusals,
}

/// A limit that keeps somebody waiting, and so the kind of thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Limit {
    /// Wrong passwords from a network, for whatever nick.
    Address,
    /// Wrong passwords for a nick from strangers, wherever they come from.
    Nick,
    /// Wrong passwords for a nick from a network.
    NickAndAddress,
    /// Wrong passwords of a session from its own devices.
    Session,
    /// Passwords that a session's own devices give, right ones too.
    Passwords,
    /// Passwords for a nick from a network, right ones too: each makes a client.
    Logins,
    /// New sessions from a network.
    NewSessions,
    /// Commands of a session.
    Commands,
    /// Bytes that a session adds to the disk.
    Bytes,
    /// Bytes that a network adds to the disk in a day.
    Storage,
    /// New API keys of a session, and new secrets of them.
    Keys,
    /// Tokens for an app from a network.
    Tokens,
    /// Tokens that apps and API keys get for themselves from a network, whatever apps.
    OwnTokens,
    /// Refused requests in the names of apps from a network, whatever names.
    Apps,
    /// Polls of a device that come too fast.
    FastPolls,
    /// Authorization codes of a session.
    Codes,
    /// Device codes for an app from a network.
    DeviceCodes,
    /// Wrong user codes from a network.
    UserCodes,
    /// Wrong user codes of a session.
    SessionUserCodes,
    /// Further wrong user codes from a network, of sessions that have made no mistake.
    FurtherUserCodes,
    /// Wrong user codes from everywhere.
    AllUserCodes,
    /// Wrong keys of channels from a network.
    ChannelKeys,
    /// Wrong keys of channels from a session.
    SessionChannelKeys,
    /// Wrong keys of a channel.
    Channel,
}

impl Limit {
    /// Every limit.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// The limit's name in the audit log and in the log, such as `new_sessions`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Action {
    /// The action's name in the audit log, such as `session_created`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Why, where there is more than one reason.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::ClientLeft(reason)
            | Self::SessionEnded(reason)
            | Self::KeyRevoked(reason)
            | Self::GrantRevoked(reason) => Some(reason.name()),
            Self::Throttled(limit) => Some(limit.name()),
            Self::LoginRefused(code) => Some(code.name()),
            Self::Restored {
                credentials_ended: true,
            } => Some("credentials_ended"),
            _ => None,
        }
    }
}

/// Whom a line is about, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    pub session: Option<SessionId>,
    pub client: Option<ClientId>,
    /// The nick as it was then, or as it was tried.
    pub nick: Option<String>,
    /// The address it is about, if that is not the one of the request that is recorded: that one
    /// every line has.
    pub address: Option<std::net::IpAddr>,
    /// The `client_id` of an app.
    pub app: Option<String>,
    /// The name of a channel.
    pub channel: Option<String>,
}

/// A line of the log. It prints itself as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    pub id: i64,
    /// RFC 3339.
    pub time: String,
    pub action: String,
    pub session: Option<i64>,
    pub client: Option<i64>,
    pub nick: Option<String>,
    pub address: Option<String>,
    pub reason: Option<String>,
    /// The `client_id` of the app it is about.
    pub app: Option<String>,
    /// The name of the channel it is about.
    pub channel: Option<String>,
    /// How many times it happened, where the line stands for more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub count: Option<i64>,
}

impl Entry {
    pub fn at(id: i64, time: Timestamp, action: String) -> Self {
        let time = time.to_string();
        let (session, client, nick, address, reason, app, channel, count) = Default::default();
        Self {
            id,
            time,
            action,
            session,
            client,
            nick,
            address,
            reason,
            app,
            channel,
            count,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.id, self.time, self.action)?;
        let number = |value: Option<i64>| value.map(|value| value.to_string());
        for (name, value) in [
            ("session", number(self.session)),
            ("client", number(self.client)),
            (
                "nick",
                self.nick
                    .as_ref()
                    .map(|nick| nick.escape_default().to_string()),
            ),
            ("address", self.address.clone()),
            ("reason", self.reason.clone()),
            ("app", self.app.clone()),
            (
                "channel",
                self.channel
                    .as_deref()
                    .map(|channel| with_hidden_escaped(channel).into_owned()),
            ),
            ("count", number(self.count)),
        ] {
            if let Some(value) = value {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}
