//! PASS: the session's one password, set and changed.

use super::{
    Chat, Limits,
    act::{Act, Answer},
    guesses::device_of,
    label::Label,
    remains,
};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    irc::Reply,
    model::{Arrival, Caller, HashedPassword, Nick, Password, SERVER_NAME, Timestamp},
    password::Verdict,
    session::lifecycle,
    store::{self, Priority, session},
};

/// What the program is called, wherever it runs.
const PROGRAM_NAME: &str = "rejoin";
/// How often a PASS is judged anew when another changes the password while this one's is being
/// hashed.
const JUDGED: usize = 3;

impl Chat {
    /// PASS. Hashing happens outside the transaction, so inside it the stored hash must still be
    /// the one that was judged.
    ///
    /// Of a labelled PASS nothing is kept but the verb, so whether it is said again is judged by
    /// the stored hash.
    pub(super) async fn set_password(
        &self,
        caller: Caller,
        new: Password,
        current: Option<Password>,
        label: Option<Label>,
        arrival: Arrival,
    ) -> Result<Answer> {
        let now = arrival.now;
        for _ in 0..JUDGED {
            let known = label.clone();
            let (answered, session) = self
                .look(caller, move |tx| {
                    let answered = Label::answered(known.as_ref(), tx, caller)?;
                    Ok((answered, session::get(tx, caller.session)?))
                })
                .await?;
            let stored = session.password_hash;
            if let Some(first) = answered {
                return match self.guess_password(caller, new, stored, &arrival).await? {
                    Verdict::Wrong => Err(Label::reused()),
                    Verdict::Right | Verdict::RightButOutdated => Ok(first),
                };
            }
            if stored.is_none() && current.is_some() {
                let detail = "no password is set yet, so there is no current one to give; a password with spaces is one \
                              parameter, PASS :like this";
                return Err(Error::malformed(detail));
            }
            let new = new.accepted(&self.names_of(&session.nick))?;
            if let Some(stored) = &stored {
                let Some(current) = current.clone() else {
                    let detail =
                        "a password is set: give the current one too, PASS <new> <current>";
                    return Err(Error::new(Code::PasswordRequired, detail));
                };
                if self
                    .guess_password(caller, current, Some(stored.clone()), &arrival)
                    .await?
                    == Verdict::Wrong
                {
                    return Err(Error::new(
                        Code::PasswordMismatch,
                        "this is not the current password",
                    ));
                }
            } else {
                self.first_password(caller, &arrival).await?;
            }
            let hash = self.hasher.hash(device_of(caller, &arrival), new).await?;
            let (label, limits) = (label.clone(), self.limits);
            let done = self
                .change_as(Priority::Entry, caller, move |tx| {
                    store_password(
                        tx,
                        caller,
                        stored.as_ref(),
                        &hash,
                        label.as_ref(),
                        now,
                        &limits,
                    )?
                    .map(|(answer, action)| record(tx, caller, action, &arrival).map(|()| answer))
                    .transpose()
                })
                .await?;
            if let Some(answer) = done {
                return Ok(answer);
            }
        }
        Err(changing())
    }

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
            .look(caller, move |tx| {
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
    tx: &store::Read,
    caller: Caller,
    judged: &Option<HashedPassword>,
) -> Result<()> {
    if session::get(tx, caller.session)?.password_hash == *judged {
        Ok(())
    } else {
        Err(changing())
    }
}

fn changing() -> Error {
    Error::retry(
        Code::Overloaded,
        1,
        "the password is being changed elsewhere at this moment",
    )
}

/// `None` if the password is not the one any more that the change was judged by.
fn store_password(
    tx: &store::Write,
    caller: Caller,
    judged: Option<&HashedPassword>,
    hash: &HashedPassword,
    label: Option<&Label>,
    now: Timestamp,
    limits: &Limits,
) -> Result<Option<(Answer, Action)>> {
    if !session::set_password(tx, caller.session, judged, hash)? {
        return Ok(None);
    }
    lifecycle::void_approvals(tx, caller.session, None)?;
    let mut act = Act::new(
        tx,
        caller,
        label.map(|label| label.text.as_str()),
        now,
        limits,
    )?;
    let action = if judged.is_some() {
        Action::PasswordChanged
    } else {
        Action::PasswordSet
    };
    act.notice(match judged {
        Some(_) => "The password of this session was changed.",
        None => {
            "A password was set: this session can now be rejoined from other devices by logging in."
        }
    })?;
    act.answer.replies.push(Reply::command(
        "NOTE",
        &[&"PASS", &"PASSWORD_SET", &"The password is set"],
    ));
    if judged.is_some() {
        act.answer
            .replies
            .extend(remains::reply(tx, caller.session)?);
    }
    let answer = std::mem::take(&mut act.answer);
    if let Some(label) = label {
        label.keep(tx, caller, &answer, now)?;
    }
    Ok(Some((answer, action)))
}

/// Tells the audit log what became of a password.
fn record(tx: &store::Write, caller: Caller, action: Action, arrival: &Arrival) -> Result<()> {
    let of_client = Subject {
        client: Some(caller.client),
        address: Some(arrival.address),
        ..Subject::default()
    };
    store::audit::record(
        tx,
        action,
        &session::get(tx, caller.session)?.subject(of_client),
        arrival.now,
    )
}
