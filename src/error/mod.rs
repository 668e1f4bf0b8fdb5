//! The one error of the project, and the one table of its codes, IRC's numerics and HTTP statuses.
//!
//! Everything above `model` returns [`Error`]. `http::errors` renders it as problem details (RFC
//! 9457) or in OAuth's form. A command with several targets renders the failed ones as error
//! numerics among its replies.

mod caller;
mod code;
mod failure_log;
mod invalid;

use std::fmt;

pub use code::Code;
use failure_log::{INTERNAL, STORAGE};

use crate::model::{ClientView, EndReason, Scope};

/// A result whose error is [`Error`] unless another is given.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The data that some codes carry beside their text.
#[derive(Clone, Debug, PartialEq)]
pub enum Extra {
    /// Nothing.
    None,
    /// The reason why the client left. Goes with `client_ended`, and with `invalid_token` and
    /// `invalid_identity` if that is their cause.
    Reason(EndReason),
    /// The scope that is needed. Goes with `insufficient_scope`.
    Scope(Scope),
    /// The seconds until a new try can succeed. Goes with `throttled`, `storage_limit`,
    /// `overloaded` and `storage_failed`.
    RetryAfter(u64),
    /// The clients from which the user may choose one to remove. Goes with `too_many_clients`.
    Clients(Vec<ClientView>),
}

/// A refusal or a failure: a code, a sentence for people, and the numeric's middle parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// The kind of error.
    pub code: Code,
    /// The problem, as a sentence for people, without a full stop.
    pub detail: String,
    /// The numeric's middle parameters, such as the channel, nick or verb that the error is about.
    pub context: Vec<String>,
    /// The data that the code carries beside its text.
    pub extra: Extra,
}

impl Error {
    /// An error without context and without extra data.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            context: Vec::new(),
            extra: Extra::None,
        }
    }

    /// Adds a middle parameter to the numeric.
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.context.push(what.to_string());
        self
    }

    /// The error `malformed_request` with this sentence.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Code::MalformedRequest, detail)
    }

    /// The error `input_too_long`: `what` is longer than `limit` of this unit, such as `bytes`.
    pub fn too_long(what: &str, limit: usize, unit: &str) -> Self {
        Self::new(
            Code::InputTooLong,
            format!("{what} is longer than {limit} {unit}"),
        )
    }

    /// The error `client_ended` with the reason.
    pub fn client_ended(reason: EndReason) -> Self {
        let detail = format!("this client has left: {}", reason.sentence());
        Self {
            extra: Extra::Reason(reason),
            ..Self::new(Code::ClientEnded, detail)
        }
    }

    /// The error `insufficient_scope`: the caller's credential does not allow this (RFC 6750 §3.1).
    pub fn insufficient_scope(needed: Scope) -> Self {
        let detail = format!(
            "this request requires the scope {}, which the access token does not have",
            needed.name()
        );
        Self {
            extra: Extra::Scope(needed),
            ..Self::new(Code::InsufficientScope, detail)
        }
    }

    /// The error `insufficient_scope` for a caller that is confined to channels and asks for more.
    /// No scope would help (RFC 6750 §3.1).
    pub fn confined() -> Self {
        let detail = "this request concerns the whole session, but the access token is restricted \
                      to some of its channels";
        Self::new(Code::InsufficientScope, detail)
    }

    /// A temporary error, with the seconds until a new try can succeed.
    pub fn retry(code: Code, seconds: u64, detail: impl Into<String>) -> Self {
        Self {
            extra: Extra::RetryAfter(seconds),
            ..Self::new(code, detail)
        }
    }

    /// The error `throttled`: a rate limit was reached, and a new try can succeed after `seconds`.
    pub fn throttled(seconds: u64) -> Self {
        let detail = format!("too many requests: try again in {seconds} s");
        Self::retry(Code::Throttled, seconds, detail)
    }

    /// The error `internal_error`, for a failure of the server's own. The log gets the cause. The
    /// caller only learns that something failed.
    pub fn internal(cause: impl fmt::Display) -> Self {
        if let Some(left_out) = INTERNAL.next_line() {
            tracing::error!(%cause, left_out, "a request failed because of an internal error");
        }
        Self::new(
            Code::InternalError,
            "the request failed because of an internal error; nothing was changed",
        )
    }

    /// The error `storage_failed`, for a failure of the machine below the store. It may be
    /// temporary, so the caller may try again. The log gets the cause.
    pub fn storage(cause: impl fmt::Display) -> Self {
        if let Some(left_out) = STORAGE.next_line() {
            tracing::error!(%cause, left_out, "a request failed because the database could not be read or written");
        }
        Self::retry(
            Code::StorageFailed,
            5,
            "the server cannot read or write its database at the moment; nothing was changed, so \
             try again later",
        )
    }

    /// The error `storage_failed` for a full disk, if the work may not use the reserve. The store
    /// has already logged once that the disk became full.
    pub fn disk_full() -> Self {
        let detail = "the server's disk is full, so nothing can be added; nothing was changed, so \
                      try again later. Reading, leaving and revoking still work";
        Self::retry(Code::StorageFailed, 5, detail)
    }

    /// Whether the store had no room for what was to be added.
    pub fn is_want_of_room(&self) -> bool {
        matches!(self.code, Code::StorageLimit | Code::StorageFailed)
    }

    /// Turns a refusal into `None`. A failure of the server stays an error, so that it is not taken
    /// for a refusal.
    pub fn refused_as_none<T>(result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_failure() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Whether the server failed, as opposed to refusing the request.
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
