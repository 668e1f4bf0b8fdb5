//! The session's one password: proving, setting and changing it.
//!
//! Hashing happens outside the transaction. The transaction therefore checks that the stored hash
//! is still the one that the password was verified against.

use super::{core::Core, lifecycle::void_approvals, notice::notice, password_guesses::asker_of};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{Arrival, Caller, EventId, HashedPassword, Nick, Password, SERVER_NAME},
    password::Verdict,
    store::{Read, Write, audit, log::Origin, session},
};

/// The name of the program. It is refused as a password.
const PROGRAM_NAME: &str = "rejoin";

impl Core {
    /// Checks that the caller knows the session's password, if the session has one. A stolen cookie
    /// alone must not be enough for changes that outlast the cookie.
    ///
    /// Returns the hash that the password was verified against. When the change is made, it must
    /// still be the stored one ([`require_unchanged`]). It fails with `password_required`,
    /// `password_mismatch`, `throttled` or `overloaded`.
    pub(crate) async fn prove_password(
        &self,
        caller: Caller,
        given: Option<Password>,
        arrival: &Arrival,
    ) -> Result<Option<HashedPassword>> {
        let stored = self
            .read_as(caller, move |tx| {
                Ok(session::get(tx, caller.session)?.password_hash)
            })
            .await?;
        if let Some(stored) = &stored {
            let needed = || {
                Error::new(
                    Code::PasswordRequired,
                    "this request requires the session's password, as `password`",
                )
            };
            let given = given.ok_or_else(needed)?;
            if self
                .guess_password(caller, given, Some(stored.clone()), arrival)
                .await?
                == Verdict::Wrong
            {
                return Err(Error::new(Code::PasswordMismatch, "the password is wrong"));
            }
        }
        Ok(stored)
    }

    /// Checks a change of the session's password, and returns the hash of the new one, for
    /// [`set_password`]. `nick` is the session's nick. The first password needs no `current` one.
    ///
    /// It fails with `malformed_request`, `weak_password`, `password_required`,
    /// `password_mismatch`, `throttled` or `overloaded`.
    pub(crate) async fn judge_new_password(
        &self,
        caller: Caller,
        nick: &Nick,
        new: Password,
        current: Option<Password>,
        stored: Option<&HashedPassword>,
        arrival: &Arrival,
    ) -> Result<HashedPassword> {
        if stored.is_none() && current.is_some() {
            let detail = "the session has no password yet, so PASS takes one parameter. Write a \
                          password with spaces as one parameter: PASS :like this";
            return Err(Error::malformed(detail));
        }
        let new = new.accepted(&self.names_of(nick))?;
        if let Some(stored) = stored {
            let Some(current) = current else {
                let detail = "the session has a password, so the current one is required too: PASS \
                              <new> <current>";
                return Err(Error::new(Code::PasswordRequired, detail));
            };
            let guessed = self.guess_password(caller, current, Some(stored.clone()), arrival);
            if guessed.await? == Verdict::Wrong {
                let detail = "the current password is wrong";
                return Err(Error::new(Code::PasswordMismatch, detail));
            }
        } else {
            self.first_password(caller, arrival).await?;
        }
        self.hasher.hash(asker_of(caller, arrival), new).await
    }

    /// The words that an attacker would try first as the password of this nick's session.
    fn names_of<'a>(&'a self, nick: &'a Nick) -> Vec<&'a str> {
        [nick.as_str(), SERVER_NAME, PROGRAM_NAME]
            .into_iter()
            .chain(self.host.as_deref())
            .collect()
    }
}

/// Fails with `overloaded` if the stored hash has changed since the password was verified.
pub(crate) fn require_unchanged(
    tx: &Read,
    caller: Caller,
    judged: &Option<HashedPassword>,
) -> Result<()> {
    if session::get(tx, caller.session)?.password_hash == *judged {
        Ok(())
    } else {
        Err(changing())
    }
}

/// The `overloaded` error for a password that another request has just changed.
pub(crate) fn changing() -> Error {
    Error::retry(
        Code::Overloaded,
        1,
        "another request is changing the password at the moment; try again",
    )
}

/// Sets the password's hash, if the stored hash has not changed since the password was verified.
/// The session's approvals are voided, its devices are told, and the change is recorded. Returns
/// the NOTICE. `None` if another request has changed the password meanwhile.
pub(crate) fn set_password(
    tx: &Write,
    caller: Caller,
    judged: Option<&HashedPassword>,
    hash: &HashedPassword,
    origin: Origin,
    arrival: &Arrival,
) -> Result<Option<EventId>> {
    if !session::set_password(tx, caller.session, judged, hash)? {
        return Ok(None);
    }
    void_approvals(tx, caller.session, None)?;
    let session = session::get(tx, caller.session)?;
    let (action, text) = match judged {
        Some(_) => (
            Action::PasswordChanged,
            "The password of this session was changed.",
        ),
        None => (
            Action::PasswordSet,
            "A password was set: this session can now be rejoined from other devices by logging in.",
        ),
    };
    let told = notice(tx, &session, text.to_owned(), origin, arrival.at.now)?;
    let of_client = Subject {
        client: Some(caller.client),
        address: Some(arrival.address),
        ..Subject::default()
    };
    audit::record(tx, action, &session.subject(of_client), arrival.at.now)?;
    Ok(Some(told))
}
