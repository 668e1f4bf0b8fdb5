//! The session's one password: proved, set, changed.
//!
//! Hashing happens outside the transaction. So the transaction checks again that the stored hash is
//! still the one that was judged.

use super::{core::Core, lifecycle::void_approvals, notice::notice, password_guesses::device_of};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{Arrival, Caller, EventId, HashedPassword, Nick, Password, SERVER_NAME},
    password::Verdict,
    store::{Read, Write, audit, log::Origin, session},
};

/// What the program is called, wherever it runs.
const PROGRAM_NAME: &str = "rejoin";

impl Core {
    /// Proves that the caller knows the session's password, if it has one: a moment with somebody's
    /// cookie is not enough for what outlasts the cookie. The hash that was judged, which must
    /// still be the stored one when it counts ([`require_unchanged`]).
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
                    "this needs the session's password, as `password`",
                )
            };
            let given = given.ok_or_else(needed)?;
            if self
                .guess_password(caller, given, Some(stored.clone()), arrival)
                .await?
                == Verdict::Wrong
            {
                return Err(Error::new(
                    Code::PasswordMismatch,
                    "this is not the session's password",
                ));
            }
        }
        Ok(stored)
    }

    /// Judges a change of the password of a session that has this nick. Returns the new password's
    /// hash, for [`set_password`]. The first password takes no `current` one.
    ///
    /// It fails with `weak_password`, `password_required`, `password_mismatch` or `throttled`.
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
            let detail = "no password is set yet, so there is no current one to give; a password with spaces is one \
                          parameter, PASS :like this";
            return Err(Error::malformed(detail));
        }
        let new = new.accepted(&self.names_of(nick))?;
        if let Some(stored) = stored {
            let Some(current) = current else {
                let detail = "a password is set: give the current one too, PASS <new> <current>";
                return Err(Error::new(Code::PasswordRequired, detail));
            };
            let guessed = self.guess_password(caller, current, Some(stored.clone()), arrival);
            if guessed.await? == Verdict::Wrong {
                let detail = "this is not the current password";
                return Err(Error::new(Code::PasswordMismatch, detail));
            }
        } else {
            self.first_password(caller, arrival).await?;
        }
        self.hasher.hash(device_of(caller, arrival), new).await
    }

    /// What anybody would try first as the password of whoever has this nick.
    fn names_of<'a>(&'a self, nick: &'a Nick) -> Vec<&'a str> {
        [nick.as_str(), SERVER_NAME, PROGRAM_NAME]
            .into_iter()
            .chain(self.host.as_deref())
            .collect()
    }
}

/// Refuses where the password is not the one any more that was judged.
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

pub(crate) fn changing() -> Error {
    Error::retry(
        Code::Overloaded,
        1,
        "the password is being changed elsewhere at this moment",
    )
}

/// Sets the password to a hash, if the stored one is still the one that was judged. Its approvals are
/// void, its devices are told, and the change is recorded. Returns the NOTICE; `None`: another
/// request has changed the password meanwhile.
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
    let told = notice(tx, &session, text.to_owned(), origin, arrival.now)?;
    let of_client = Subject {
        client: Some(caller.client),
        address: Some(arrival.address),
        ..Subject::default()
    };
    audit::record(tx, action, &session.subject(of_client), arrival.now)?;
    Ok(Some(told))
}
