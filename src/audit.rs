//! The audit log's words: what happened to sessions, clients, keys and grants, without secrets.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::Code,
    model::{ClientId, EndReason, SessionId, Timestamp, text::with_hidden_escaped},
};

/// What can happen that is worth a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

macro_rules! limits {
    ($($(#[$about:meta])* $variant:ident $name:literal)*) => {
        /// A limit that keeps somebody waiting, and so the kind of thing that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Limit { $($(#[$about])* $variant,)* }

        impl Limit {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

limits! {
    /// Wrong passwords from a network, for whatever nick.
    Address "address"
    /// Wrong passwords for a nick from strangers, wherever they come from.
    Nick "nick"
    /// Wrong passwords for a nick from a network.
    NickAndAddress "nick_and_address"
    /// Wrong passwords of a session from its own devices.
    Session "session"
    /// Passwords that a session's own devices give, right ones too.
    Passwords "passwords"
    /// Passwords for a nick from a network, right ones too: each makes a client.
    Logins "logins"
    /// New sessions from a network.
    NewSessions "new_sessions"
    /// Commands of a session.
    Commands "commands"
    /// Bytes that a session adds to the disk.
    Bytes "bytes"
    /// Bytes that a network adds to the disk in a day.
    Storage "storage"
    /// New API keys of a session, and new secrets of them.
    Keys "keys"
    /// Tokens for an app from a network.
    Tokens "tokens"
    /// Tokens that apps and API keys get for themselves from a network, whatever apps.
    OwnTokens "own_tokens"
    /// Refused requests in the names of apps from a network, whatever names.
    Apps "apps"
    /// Polls of a device that come too fast.
    FastPolls "fast_polls"
    /// Authorization codes of a session.
    Codes "codes"
    /// Device codes for an app from a network.
    DeviceCodes "device_codes"
    /// Wrong user codes from a network.
    UserCodes "user_codes"
    /// Wrong user codes of a session.
    SessionUserCodes "session_user_codes"
    /// Further wrong user codes from a network, of sessions that have made no mistake.
    FurtherUserCodes "further_user_codes"
    /// Wrong user codes from everywhere.
    AllUserCodes "all_user_codes"
    /// Wrong keys of channels from a network.
    ChannelKeys "channel_keys"
    /// Wrong keys of channels from a session.
    SessionChannelKeys "session_channel_keys"
    /// Wrong keys of a channel.
    Channel "channel"
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Self::SessionCreated => "session_created",
            Self::ClientCreated => "client_created",
            Self::LoginOk => "login_ok",
            Self::LoginFailed => "login_failed",
            Self::LoginRefused(_) => "login_refused",
            Self::PasswordSet => "password_set",
            Self::PasswordChanged => "password_changed",
            Self::PasswordRefused => "password_refused",
            Self::ClientLeft(_) => "client_left",
            Self::SessionEnded(_) => "session_ended",
            Self::KeyIssued => "key_issued",
            Self::KeyRotated => "key_rotated",
            Self::KeyRenamed => "key_renamed",
            Self::KeyRevoked(_) => "key_revoked",
            Self::AppAdded => "app_added",
            Self::AppRotated => "app_rotated",
            Self::AppRemoved => "app_removed",
            Self::Restored { .. } => "restored",
            Self::ByOperator => "by_operator",
            Self::GrantIssued => "grant_issued",
            Self::GrantRefreshed => "grant_refreshed",
            Self::GrantJoined => "grant_joined",
            Self::ReuseDetected => "reuse_detected",
            Self::GrantRevoked(_) => "grant_revoked",
            Self::ConsentGiven => "consent_given",
            Self::ConsentDenied => "consent_denied",
            Self::DeviceApproved => "device_approved",
            Self::DeviceDenied => "device_denied",
            Self::ApprovalWithdrawn => "approval_withdrawn",
            Self::OpGiven => "op_given",
            Self::ChannelEnded => "channel_ended",
            Self::Throttled(_) => "throttled",
            Self::ChannelKeyRefused => "channel_key_refused",
            Self::Refusals => "refusals",
        }
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
