//! PASS: the session's one password, set and changed.

use std::net::IpAddr;

use super::{
    Chat, Limits,
    act::{Act, Answer},
    label::Label,
};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    irc::Reply,
    model::{Caller, HashedPassword, Password, Timestamp},
    password::Verdict,
    store::{self, session},
};

/// How often a PASS is judged anew when another changes the password while this one's is being hashed.
const JUDGED: usize = 3;

impl Chat {
    /// PASS. Hashing happens outside the transaction, so inside it the stored hash must still be the one that was judged.
    pub(super) async fn set_password(
        &self,
        caller: Caller,
        new: Password,
        current: Option<Password>,
        label: Option<Label>,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Answer> {
        for _ in 0..JUDGED {
            let known = label.clone();
            let (answered, stored) = self
                .look(caller, move |tx| {
                    let answered = Label::answered(known.as_ref(), tx, caller)?;
                    Ok((answered, session::get(tx, caller.session)?.password_hash))
                })
                .await?;
            if let Some(answer) = answered {
                return Ok(answer);
            }
            if let Some(stored) = &stored {
                let Some(current) = current.clone() else {
                    let detail = "a password is set: give the current one too, PASS <new> <current>";
                    return Err(Error::new(Code::PasswordRequired, detail));
                };
                if self.hasher.verify(current, Some(stored.clone())).await? == Verdict::Wrong {
                    let refused = Action::PasswordRefused;
                    self.change(caller, move |tx| record(tx, caller, refused, address, now)).await?;
                    return Err(Error::new(Code::PasswordMismatch, "this is not the current password"));
                }
            }
            let hash = self.hasher.hash(new.clone()).await?;
            let (label, limits) = (label.clone(), self.limits);
            let done = self
                .change(caller, move |tx| {
                    store_password(tx, caller, stored.as_ref(), &hash, label.as_ref(), now, &limits)?
                        .map(|(answer, action)| record(tx, caller, action, address, now).map(|()| answer))
                        .transpose()
                })
                .await?;
            if let Some(answer) = done {
                return Ok(answer);
            }
        }
        Err(Error::retry(Code::Overloaded, 1, "the password is being changed elsewhere at this moment"))
    }
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
    let mut act = Act::new(tx, caller, label.map(|label| label.text.as_str()), now, limits)?;
    let action = if judged.is_some() { Action::PasswordChanged } else { Action::PasswordSet };
    act.notice(match judged {
        Some(_) => "The password of this session was changed.",
        None => "A password was set: this session can now be rejoined from other devices by logging in.",
    })?;
    act.answer.replies.push(Reply::command("NOTE", &[&"PASS", &"PASSWORD_SET", &"The password is set"]));
    let answer = std::mem::take(&mut act.answer);
    if let Some(label) = label {
        label.keep(tx, caller, &answer, now)?;
    }
    Ok(Some((answer, action)))
}

/// Tells the audit log what became of a password.
fn record(tx: &store::Write, caller: Caller, action: Action, address: IpAddr, now: Timestamp) -> Result<()> {
    let of_client = Subject { client: Some(caller.client), address: Some(address), ..Subject::default() };
    store::audit::record(tx, action, &session::get(tx, caller.session)?.subject(of_client), now)
}
