//! The words of the audit log: what happened to sessions, clients, keys and grants. It never
//! contains secrets.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::{
    error::Code,
    model::{ClientId, EndReason, SessionId, Timestamp, text::with_hidden_escaped},
};

/// What can happen that is recorded in the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    /// A session was created.
    SessionCreated,
    /// A client was created: a device or an API key's bot.
    ClientCreated,
    /// Somebody logged in.
    LoginOk,
    /// Somebody tried to log in with a wrong nick or password.
    LoginFailed,
    /// The password was right, but the login was refused for another reason.
    LoginRefused(Code),
    /// A session got its first password.
    PasswordSet,
    /// A session changed its password.
    PasswordChanged,
    /// Somebody tried to change a password and gave a wrong current one.
    PasswordRefused,
    /// A client left.
    ClientLeft(EndReason),
    /// A session ended.
    SessionEnded(EndReason),
    /// An API key was created.
    KeyIssued,
    /// An API key got a new secret.
    KeyRotated,
    /// An API key got another name.
    KeyRenamed,
    /// An API key ended.
    KeyRevoked(EndReason),
    /// The operator registered an app.
    AppAdded,
    /// The operator gave an app a new secret.
    AppRotated,
    /// The operator removed an app and all its grants.
    AppRemoved,
    /// The operator replaced the database by a copy.
    Restored {
        /// Whether the credentials in the copy were ended.
        credentials_ended: bool,
    },
    /// The following lines about the session tell what the operator did, not the session.
    ByOperator,
    /// An app got a grant.
    GrantIssued,
    /// A refresh token was exchanged for new tokens.
    GrantRefreshed,
    /// A code was exchanged for tokens of a grant that the session had given the app before.
    GrantJoined,
    /// A refresh token that was used before was presented again, so somebody else has it. The grant
    /// ends.
    ReuseDetected,
    /// A grant ended.
    GrantRevoked(EndReason),
    /// The session consented to an app that signs it in.
    ConsentGiven,
    /// The session refused an app that asked to sign it in.
    ConsentDenied,
    /// The session let a device join by the code that it shows.
    DeviceApproved,
    /// The session refused a device.
    DeviceDenied,
    /// The session withdrew what it had approved for an app.
    ApprovalWithdrawn,
    /// The operator made a session an op of a channel.
    OpGiven,
    /// The operator ended a channel.
    ChannelEnded,
    /// A limit was reached. This is recorded once an hour for each key that the limit counts.
    Throttled(Limit),
    /// Somebody gave a wrong key to join a channel.
    ChannelKeyRefused,
    /// Refusals that are recorded together, because they are of too many different keys.
    Refusals,
}

/// A limit on how often or how much: the kind of thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Limit {
    /// Wrong passwords from a network, for any nick.
    Address,
    /// Wrong passwords for a nick from strangers, from anywhere.
    Nick,
    /// Wrong passwords for a nick from a network.
    NickAndAddress,
    /// Wrong passwords for a session from its own devices.
    Session,
    /// Passwords that a session's own devices give, right ones included.
    Passwords,
    /// Passwords for a nick from a network, right ones included, because each login makes a client.
    Logins,
    /// New sessions from a network.
    NewSessions,
    /// Commands of a session.
    Commands,
    /// Bytes that a session adds to the disk.
    Bytes,
    /// Bytes that a network adds to the disk within a day.
    Storage,
    /// New API keys of a session, and new secrets for them.
    Keys,
    /// Tokens for an app from a network.
    Tokens,
    /// Tokens that apps and API keys get for themselves from a network, for all apps together.
    OwnTokens,
    /// Refused requests in the names of apps from a network, for all names together.
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
    /// More wrong user codes from a network, by sessions that have made no mistake yet.
    FurtherUserCodes,
    /// Wrong user codes from all networks together.
    AllUserCodes,
    /// Wrong channel keys from a network.
    ChannelKeys,
    /// Wrong channel keys from a session.
    SessionChannelKeys,
    /// Wrong keys for a channel.
    Channel,
}

impl Limit {
    /// All limits.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// The limit's name in the audit log and in the server's log, such as `new_sessions`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Action {
    /// The action's name in the audit log, such as `session_created`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The reason in the audit log, for actions that can have several.
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

/// The subject of a line, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The session.
    pub session: Option<SessionId>,
    /// The client.
    pub client: Option<ClientId>,
    /// The session's nick at that time, or the nick of a failed login.
    pub nick: Option<String>,
    /// The address, if it is another than that of the current request. Every line has the address
    /// of its request otherwise.
    pub address: Option<std::net::IpAddr>,
    /// The `client_id` of the app.
    pub app: Option<String>,
    /// The name of the channel.
    pub channel: Option<String>,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// The line's id. Later lines have higher ids.
    pub id: i64,
    /// When it happened (RFC 3339).
    pub time: String,
    /// What happened, such as `session_created`.
    pub action: String,
    /// The id of the session that it is about.
    pub session: Option<i64>,
    /// The id of the client that it is about.
    pub client: Option<i64>,
    /// The session's nick at that time, or the nick of a failed login.
    pub nick: Option<String>,
    /// The IP address from which it was requested.
    pub address: Option<String>,
    /// Why it happened, for actions that can have several reasons.
    pub reason: Option<String>,
    /// The `client_id` of the app that it is about.
    pub app: Option<String>,
    /// The name of the channel that it is about.
    pub channel: Option<String>,
    /// How many times it happened, if the line stands for more than one time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub count: Option<i64>,
}

impl Entry {
    /// A line with an id, a time and an action, and nothing else.
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
