//! The one error of the project, and the one table that maps its codes to IRC's numerics and HTTP's
//! statuses.
//!
//! Everything below `http` returns [`Error`]; `http::problem` renders it as RFC 9457 problem
//! details, and a command with several targets renders the failed ones as error numerics among its
//! replies.

use std::{
    fmt,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::model::{ClientView, EndReason, Scope};

pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($variant:ident $name:literal $numeric:expr, $status:literal $title:literal;)*) => {
        /// A stable, documented error code of the wire contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($variant,)* }

        impl Code {
            /// Every code, in the contract's order.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            fn row(self) -> (&'static str, Option<&'static str>, u16, &'static str) {
                match self { $(Code::$variant => ($name, $numeric, $status, $title),)* }
            }
        }
    };
}

codes! {
    Unauthenticated     "unauthenticated"        Some("451"), 401 "Not signed in";
    ClientEnded         "client_ended"           Some("451"), 401 "This client has left";
    LoginFailed         "login_failed"           Some("464"), 401 "Login failed";
    PasswordMismatch    "password_mismatch"      Some("464"), 403 "Current password is wrong";
    PasswordRequired    "password_required"      Some("464"), 403 "Current password is needed";
    WeakPassword        "weak_password"          None,        400 "Password refused";
    AlreadyInSession    "already_in_session"     Some("462"), 409 "Already in a session";
    NicknameInUse       "nickname_in_use"        Some("433"), 409 "Nickname is already in use";
    ErroneousNickname   "erroneous_nickname"     Some("432"), 400 "Erroneous nickname";
    NoNicknameGiven     "no_nickname_given"      Some("431"), 400 "No nickname given";
    UnknownCommand      "unknown_command"        Some("421"), 400 "Unknown command";
    NeedMoreParams      "need_more_params"       Some("461"), 400 "Not enough parameters";
    NoSuchNick          "no_such_nick"           Some("401"), 404 "No such nick";
    NoSuchChannel       "no_such_channel"        Some("403"), 404 "No such channel";
    BadChannelName      "bad_channel_name"       Some("476"), 400 "Bad channel name";
    CannotSendToChannel "cannot_send_to_channel" Some("404"), 403 "Cannot send to channel";
    NotOnChannel        "not_on_channel"         Some("442"), 403 "Not on that channel";
    ChanopNeeded        "chanop_needed"          Some("482"), 403 "Channel operator needed";
    NoRecipient         "no_recipient"           Some("411"), 400 "No recipient given";
    NoTextToSend        "no_text_to_send"        Some("412"), 400 "No text to send";
    ChannelNameConfusable "channel_name_confusable" Some("476"), 409 "Channel name looks like another";
    InputTooLong        "input_too_long"         Some("417"), 413 "Input too long";
    TooManyChannels     "too_many_channels"      Some("405"), 409 "Too many channels";
    TooManyClients      "too_many_clients"       None,        409 "Too many clients";
    TooManySessions     "too_many_sessions"      None,        409 "Too many sessions";
    LabelReused         "label_reused"           None,        409 "Label already used";
    NickReassigned      "nick_reassigned"        None,        409 "The nick is another session's";
    InvalidCursor       "invalid_cursor"         None,        400 "Invalid cursor";
    MalformedRequest    "malformed_request"      None,        400 "Malformed request";
    MisdirectedRequest  "misdirected_request"    None,        421 "Misdirected request";
    CrossSiteRequest    "cross_site_request"     None,        403 "Cross-site request";
    Throttled           "throttled"              Some("263"), 429 "Too fast";
    StorageLimit        "storage_limit"          Some("263"), 429 "Storage limit reached";
    Overloaded          "overloaded"             Some("263"), 503 "Overloaded";
    // The other refusals of modern IRC, by the same pattern.
    TooManyTargets      "too_many_targets"       Some("407"), 400 "Too many targets";
    UserNotInChannel    "user_not_in_channel"    Some("441"), 404 "They are not on that channel";
    UserOnChannel       "user_on_channel"        Some("443"), 409 "They are already on that channel";
    ChannelIsFull       "channel_is_full"        Some("471"), 403 "Channel is full";
    UnknownMode         "unknown_mode"           Some("472"), 400 "Unknown mode";
    InviteOnlyChannel   "invite_only_channel"    Some("473"), 403 "Channel is invite-only";
    BannedFromChannel   "banned_from_channel"    Some("474"), 403 "Banned from channel";
    BadChannelKey       "bad_channel_key"        Some("475"), 403 "Wrong channel key";
    BanListFull         "ban_list_full"          Some("478"), 409 "Ban list is full";
    UnknownUserMode     "unknown_user_mode"      Some("501"), 400 "Unknown user mode";
    UsersDontMatch      "users_dont_match"       Some("502"), 403 "Not your own modes";
    SilenceListFull     "silence_list_full"      Some("511"), 409 "Silence list is full";
    InvalidKey          "invalid_key"            Some("525"), 400 "Channel key is not well-formed";
    InvalidModeParam    "invalid_mode_param"     Some("696"), 400 "Invalid mode parameter";
    TooManyKeys         "too_many_keys"          None,        409 "Too many keys";
    InvalidIdentity     "invalid_identity"       None,        401 "Invalid identity";
    IdentityMismatch    "identity_mismatch"      None,        403 "These tokens do not go together";
    AppTokenNeeded      "app_token_needed"       None,        403 "The app's own token is needed";
    ResourceServerNeeded "resource_server_needed" None,       403 "Resource server needed";
    // OAuth's own (RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 8628 §3.5; the last two are
    // OpenID Connect Core §3.1.2.6).
    InvalidToken        "invalid_token"          None,        401 "Invalid token";
    InsufficientScope   "insufficient_scope"     None,        403 "Scope too small";
    InvalidClient       "invalid_client"         None,        401 "Invalid client";
    InvalidScope        "invalid_scope"          None,        400 "Invalid scope";
    InvalidGrant        "invalid_grant"          None,        400 "Invalid grant";
    UnauthorizedClient  "unauthorized_client"    None,        400 "Not for this app";
    UnsupportedGrantType "unsupported_grant_type" None,       400 "Unsupported grant type";
    UnsupportedResponseType "unsupported_response_type" None, 400 "Unsupported response type";
    AccessDenied        "access_denied"          None,        400 "Denied";
    AuthorizationPending "authorization_pending" None,        400 "Not decided yet";
    SlowDown            "slow_down"              None,        400 "Polled too fast";
    ExpiredToken        "expired_token"          None,        400 "Expired";
    LoginRequired       "login_required"         None,        400 "Login required";
    ConsentRequired     "consent_required"       None,        400 "Consent required";
    // What HTTP itself and a failing machine need.
    NotFound            "not_found"              None,        404 "Not found";
    RequestTimeout      "request_timeout"        None,        408 "Request took too long";
    MethodNotAllowed    "method_not_allowed"     None,        405 "Method not allowed";
    StorageFailed       "storage_failed"         Some("263"), 503 "Storage failed";
    InternalError       "internal_error"         None,        500 "Internal error";
}

impl Code {
    /// The code on the wire, in snake case.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The numeric of modern IRC, where there is one.
    pub fn numeric(self) -> Option<&'static str> {
        self.row().1
    }

    /// The HTTP status (RFC 9110 §15; 429 is RFC 6585's).
    pub fn status(self) -> u16 {
        self.row().2
    }

    /// A short summary of the kind of problem, the same at every occurrence (RFC 9457 §3.1.3).
    pub fn title(self) -> &'static str {
        self.row().3
    }
}

/// What some codes carry beside their text.
#[derive(Clone, Debug, PartialEq)]
pub enum Extra {
    None,
    /// `client_ended`, and `invalid_token` and `invalid_identity` where that is the reason: why.
    Reason(EndReason),
    /// `insufficient_scope`: what is needed.
    Scope(Scope),
    /// `throttled`, `storage_limit`, `overloaded`, `storage_failed`: seconds until a try can
    /// succeed.
    RetryAfter(u64),
    /// `too_many_clients`: the clients one can be chosen from for removal.
    Clients(Vec<ClientView>),
}

/// A refusal or a failure: a code, a sentence for people, and what IRC puts between nick and
/// sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    pub code: Code,
    pub detail: String,
    /// The numeric's middle parameters: the channel, nick or verb it is about.
    pub context: Vec<String>,
    pub extra: Extra,
}

impl Error {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            context: Vec::new(),
            extra: Extra::None,
        }
    }

    /// Adds a middle parameter of the numeric.
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.context.push(what.to_string());
        self
    }

    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Code::MalformedRequest, detail)
    }

    pub fn too_long(what: &str, limit: usize, unit: &str) -> Self {
        Self::new(
            Code::InputTooLong,
            format!("{what} is longer than {limit} {unit}"),
        )
    }

    pub fn client_ended(reason: EndReason) -> Self {
        let detail = format!("this client has left: {}", reason.sentence());
        Self {
            extra: Extra::Reason(reason),
            ..Self::new(Code::ClientEnded, detail)
        }
    }

    /// What was called with does not allow this (RFC 6750 §3.1).
    pub fn insufficient_scope(needed: Scope) -> Self {
        let detail = format!(
            "this is beyond the scope of what you called with: it takes {}",
            needed.name()
        );
        Self {
            extra: Extra::Scope(needed),
            ..Self::new(Code::InsufficientScope, detail)
        }
    }

    /// What was called with is confined to channels, and this goes beyond them: no scope would help
    /// (RFC 6750 §3.1).
    pub fn confined() -> Self {
        let detail = "this is about the whole session, and what you called with is confined to some of its channels";
        Self::new(Code::InsufficientScope, detail)
    }

    pub fn retry(code: Code, seconds: u64, detail: impl Into<String>) -> Self {
        Self {
            extra: Extra::RetryAfter(seconds),
            ..Self::new(code, detail)
        }
    }

    /// A failure of ours, not the caller's: the cause is for the log, the caller learns only that
    /// it happened.
    pub fn internal(cause: impl fmt::Display) -> Self {
        if let Some(untold) = INTERNAL.tells() {
            tracing::error!(%cause, untold, "internal error");
        }
        Self::new(
            Code::InternalError,
            "the server failed at this; nothing was changed",
        )
    }

    /// A failure of the machine below the store, which may pass: the caller may try again, the
    /// cause is for the log.
    pub fn storage(cause: impl fmt::Display) -> Self {
        if let Some(untold) = STORAGE.tells() {
            tracing::error!(%cause, untold, "storage failed");
        }
        Self::retry(
            Code::StorageFailed,
            5,
            "the server's storage fails at this moment; nothing was changed, try again",
        )
    }

    /// The disk is full, and this is not what the reserve is for. The log was told once, when the
    /// disk became full.
    pub fn disk_full() -> Self {
        let detail = "the server's disk is full, and nothing can be added at this moment; nothing was changed, try again. \
                      What only reads, leaves or revokes goes on";
        Self::retry(Code::StorageFailed, 5, detail)
    }

    /// Whether there was no room for what was to be added.
    pub fn is_want_of_room(&self) -> bool {
        matches!(self.code, Code::StorageLimit | Code::StorageFailed)
    }

    /// Whether the server failed, rather than refused.
    pub fn is_failure(&self) -> bool {
        self.code.status() >= 500
    }
}

/// Lines of the log about failures of one kind. While a disk is full, strangers can cause one with
/// every request, so only so many are written, and the next line says how many were not.
struct Lines(Mutex<Written>);

struct Written {
    since: Option<Instant>,
    lines: u32,
    untold: u64,
}

static INTERNAL: Lines = Lines::new();
static STORAGE: Lines = Lines::new();
/// So many lines in so much time.
const LINES: u32 = 10;
const LINES_EVERY: Duration = Duration::from_secs(10);

impl Lines {
    const fn new() -> Self {
        Self(Mutex::new(Written {
            since: None,
            lines: 0,
            untold: 0,
        }))
    }

    /// Whether a line is to be written, and how many were not since the last one.
    fn tells(&self) -> Option<u64> {
        let mut written = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if written
            .since
            .is_none_or(|since| since.elapsed() >= LINES_EVERY)
        {
            (written.since, written.lines) = (Some(Instant::now()), 0);
        }
        if written.lines == LINES {
            written.untold += 1;
            return None;
        }
        written.lines += 1;
        Some(std::mem::take(&mut written.untold))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_failure_that_goes_on_is_a_bounded_number_of_lines() {
        let lines = Lines::new();
        let told = (0..1000).filter(|_| lines.tells().is_some()).count();
        assert_eq!(told, LINES as usize);
        lines.0.lock().unwrap().since = Instant::now().checked_sub(LINES_EVERY);
        assert_eq!(lines.tells(), Some(990));
        assert_eq!(lines.tells(), Some(0));
    }

    /// The rows of the contract's own table. The codes beyond it follow the same pattern.
    #[test]
    fn the_table_is_the_contracts() {
        const CONTRACT: &str = "unauthenticated 451 401, client_ended 451 401, login_failed 464 401, password_mismatch 464 403,
            password_required 464 403, weak_password - 400, already_in_session 462 409, nickname_in_use 433 409,
            erroneous_nickname 432 400, no_nickname_given 431 400, unknown_command 421 400, need_more_params 461 400,
            no_such_nick 401 404, no_such_channel 403 404, bad_channel_name 476 400, cannot_send_to_channel 404 403,
            not_on_channel 442 403, chanop_needed 482 403, no_recipient 411 400, no_text_to_send 412 400,
            channel_name_confusable 476 409, input_too_long 417 413, too_many_channels 405 409, too_many_clients - 409,
            too_many_sessions - 409, label_reused - 409, nick_reassigned - 409, invalid_cursor - 400, malformed_request - 400,
            misdirected_request - 421, cross_site_request - 403, request_timeout - 408, throttled 263 429,
            storage_limit 263 429, overloaded 263 503, storage_failed 263 503";
        for row in CONTRACT.split(',').map(str::trim) {
            let found = Code::ALL
                .iter()
                .find(|code| row.starts_with(&format!("{} ", code.name())));
            let found = found.map(|code| {
                format!(
                    "{} {} {}",
                    code.name(),
                    code.numeric().unwrap_or("-"),
                    code.status()
                )
            });
            assert_eq!(found.as_deref(), Some(row));
        }
    }

    #[test]
    fn the_table_is_complete_and_unambiguous() {
        let mut names = HashSet::new();
        for &code in Code::ALL {
            assert!(names.insert(code.name()), "{} stands twice", code.name());
            assert!(
                code.name()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_')
            );
            assert!((400..=599).contains(&code.status()));
            assert!(
                code.numeric()
                    .is_none_or(|n| n.len() == 3 && n.parse::<u16>().is_ok())
            );
            assert!(!code.title().is_empty());
        }
    }
}
