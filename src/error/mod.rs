//! The one error of the project, and the one table that maps its codes to IRC's numerics and HTTP's
//! statuses.
//!
//! Everything above `model` returns [`Error`]. `http::errors` renders it as problem details (RFC
//! 9457) or in OAuth's form. A command with several targets renders those that failed as error
//! numerics among its replies.

mod caller;
mod code;
mod failure_log;
mod invalid;

use std::fmt;

pub use code::Code;
use failure_log::{INTERNAL, STORAGE};

use crate::model::{ClientView, EndReason, Scope};

/// A result whose error is [`Error`] unless it says otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What some codes carry beside their text.
#[derive(Clone, Debug, PartialEq)]
pub enum Extra {
    /// Nothing.
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
    /// What kind of error it is.
    pub code: Code,
    /// What is wrong, as a sentence for people, without a full stop.
    pub detail: String,
    /// The numeric's middle parameters: the channel, nick or verb it is about.
    pub context: Vec<String>,
    /// What the code carries beside its text.
    pub extra: Extra,
}

impl Error {
    /// An error that is about nothing in particular and carries nothing.
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

    /// `malformed_request`, with this sentence.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Code::MalformedRequest, detail)
    }

    /// `input_too_long`: `what` is longer than `limit` of this unit, such as `bytes`.
    pub fn too_long(what: &str, limit: usize, unit: &str) -> Self {
        Self::new(
            Code::InputTooLong,
            format!("{what} is longer than {limit} {unit}"),
        )
    }

    /// `client_ended`, with the reason.
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

    /// An error that passes, with the seconds until a try can succeed.
    pub fn retry(code: Code, seconds: u64, detail: impl Into<String>) -> Self {
        Self {
            extra: Extra::RetryAfter(seconds),
            ..Self::new(code, detail)
        }
    }

    /// A failure of ours, not the caller's: the cause is for the log, the caller learns only that
    /// it happened.
    pub fn internal(cause: impl fmt::Display) -> Self {
        if let Some(untold) = INTERNAL.next_line() {
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
        if let Some(untold) = STORAGE.next_line() {
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

    /// What a check found: `None` where it refused. A failure of the server stays an error, so that it
    /// is not taken for a refusal.
    pub fn refused_as_none<T>(result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_failure() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Whether the server failed, rather than refused.
    pub fn is_failure(&self) -> bool {
        self.code.status() >= 500
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

impl std::error::Error for Error {}
