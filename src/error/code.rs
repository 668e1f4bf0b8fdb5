//! The one table of error codes.

use strum::{IntoStaticStr, VariantArray};

macro_rules! codes {
    ($($variant:ident $numeric:expr, $status:literal $title:literal;)*) => {
        /// A stable, documented error code of the wire contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
        #[strum(serialize_all = "snake_case")]
        pub enum Code {
            $(
                #[doc = $title]
                $variant,
            )*
        }

        impl Code {
            /// Every code, in the contract's order.
            pub const ALL: &'static [Code] = <Code as VariantArray>::VARIANTS;

            /// The code's numeric, status and title.
            fn row(self) -> (Option<&'static str>, u16, &'static str) {
                match self { $(Code::$variant => ($numeric, $status, $title),)* }
            }
        }
    };
}

codes! {
    Unauthenticated         Some("451"), 401 "Not logged in";
    ClientEnded             Some("451"), 401 "This client has left";
    LoginFailed             Some("464"), 401 "Login failed";
    PasswordMismatch        Some("464"), 403 "Current password is wrong";
    PasswordRequired        Some("464"), 403 "Current password is required";
    WeakPassword            None,        400 "Password refused";
    AlreadyInSession        Some("462"), 409 "Already in a session";
    NicknameInUse           Some("433"), 409 "Nickname is already in use";
    ErroneousNickname       Some("432"), 400 "Erroneous nickname";
    NoNicknameGiven         Some("431"), 400 "No nickname given";
    UnknownCommand          Some("421"), 400 "Unknown command";
    NeedMoreParams          Some("461"), 400 "Not enough parameters";
    NoSuchNick              Some("401"), 404 "No such nick";
    NoSuchChannel           Some("403"), 404 "No such channel";
    BadChannelName          Some("476"), 400 "Bad channel name";
    CannotSendToChannel     Some("404"), 403 "Cannot send to channel";
    NotOnChannel            Some("442"), 403 "Not on that channel";
    ChanopNeeded            Some("482"), 403 "Channel operator is required";
    NoRecipient             Some("411"), 400 "No recipient given";
    NoTextToSend            Some("412"), 400 "No text to send";
    ChannelNameConfusable   Some("476"), 409 "Channel name looks like another channel's";
    InputTooLong            Some("417"), 413 "Input too long";
    TooManyChannels         Some("405"), 409 "Too many channels";
    TooManyClients          None,        409 "Too many clients";
    TooManySessions         None,        409 "Too many sessions";
    LabelReused             None,        409 "Label already used";
    NickReassigned          None,        409 "Nick belongs to another session";
    InvalidCursor           None,        400 "Invalid cursor";
    MalformedRequest        None,        400 "Malformed request";
    MisdirectedRequest      None,        421 "Misdirected request";
    CrossSiteRequest        None,        403 "Cross-site request";
    Throttled               Some("263"), 429 "Too many requests";
    StorageLimit            Some("263"), 429 "Storage limit reached";
    Overloaded              Some("263"), 503 "Overloaded";
    // Other refusals of modern IRC, in the same form.
    TooManyTargets          Some("407"), 400 "Too many targets";
    UserNotInChannel        Some("441"), 404 "User is not on that channel";
    UserOnChannel           Some("443"), 409 "User is already on that channel";
    ChannelIsFull           Some("471"), 403 "Channel is full";
    UnknownMode             Some("472"), 400 "Unknown mode";
    InviteOnlyChannel       Some("473"), 403 "Channel is invite-only";
    BannedFromChannel       Some("474"), 403 "Banned from channel";
    BadChannelKey           Some("475"), 403 "Wrong channel key";
    BanListFull             Some("478"), 409 "Ban list is full";
    UnknownUserMode         Some("501"), 400 "Unknown user mode";
    UsersDontMatch          Some("502"), 403 "Cannot see or change another user's modes";
    SilenceListFull         Some("511"), 409 "Silence list is full";
    InvalidKey              Some("525"), 400 "Invalid channel key";
    InvalidModeParam        Some("696"), 400 "Invalid mode parameter";
    TooManyKeys             None,        409 "Too many keys";
    InvalidIdentity         None,        401 "Invalid Rejoin-Identity token";
    IdentityMismatch        None,        403 "Tokens belong to different apps";
    AppTokenNeeded          None,        403 "App's own token is required";
    ResourceServerNeeded    None,        403 "Resource server is required";
    // The codes of OAuth (RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 8628 §3.5; the last two
    // are OpenID Connect Core §3.1.2.6).
    InvalidToken            None,        401 "Invalid token";
    InsufficientScope       None,        403 "Insufficient scope";
    InvalidClient           None,        401 "Invalid client";
    InvalidScope            None,        400 "Invalid scope";
    InvalidGrant            None,        400 "Invalid grant";
    UnauthorizedClient      None,        400 "Not allowed for this app";
    UnsupportedGrantType    None,        400 "Unsupported grant type";
    UnsupportedResponseType None,        400 "Unsupported response type";
    AccessDenied            None,        400 "Access denied";
    AuthorizationPending    None,        400 "Authorization is pending";
    SlowDown                None,        400 "Polled too fast";
    ExpiredToken            None,        400 "Code has expired";
    LoginRequired           None,        400 "Login is required";
    ConsentRequired         None,        400 "Consent is required";
    // The codes for HTTP itself and for failures of the server.
    NotFound                None,        404 "Not found";
    RequestTimeout          None,        408 "Request timed out";
    MethodNotAllowed        None,        405 "Method not allowed";
    StorageFailed           Some("263"), 503 "Storage failed";
    InternalError           None,        500 "Internal error";
}

impl Code {
    /// The code on the wire, in snake case, such as `login_failed`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The numeric of modern IRC. `None` if IRC has none for this code.
    pub fn numeric(self) -> Option<&'static str> {
        self.row().0
    }

    /// The HTTP status (RFC 9110 §15; 429 is RFC 6585's).
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// A short summary of the kind of problem. It is always the same for a code (RFC 9457 §3.1.3).
    pub fn title(self) -> &'static str {
        self.row().2
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The rows of the contract's own table. The codes beyond it follow the same pattern.
    #[test]
    fn the_table_is_that_of_the_contract() {
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
