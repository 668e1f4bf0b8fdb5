//! Sessions and their clients: made, renamed, listed, left, ended; and their password.

use std::{net::IpAddr, sync::Arc};

use super::{Chat, Limits, act::Act, act::Answer, callers::Live, execute::Label, login::Admitted};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    irc::Reply,
    model::{ClientId, ClientView, EndReason, Nick, Password, Timestamp},
    password::Verdict,
    secret::Secret,
    store::{
        self,
        client::{self, NewClient},
        session,
    },
};

/// How often a PASS is judged anew when another changes the password while this one's is being hashed.
const JUDGED: usize = 3;

impl Chat {
    /// Makes a session and its first client.
    pub async fn create(&self, nick: Nick, client_name: String, address: IpAddr, now: Timestamp) -> Result<Admitted> {
        let secret = Secret::generate()?;
        let new = self.new_client(client_name, &secret, now);
        let expires_at = new.expires_at;
        let (session, client) = self
            .store
            .write(move |tx| {
                let session = session::insert(tx, &nick, address, now)?;
                let client = client::insert(tx, session, &new, now)?;
                admitted(tx, session, client)
            })
            .await?;
        Ok(Admitted { secret, session, client, expires_at })
    }

    /// This session's clients, with their use up to now.
    pub async fn clients(&self, live: &Live) -> Result<Vec<ClientView>> {
        let caller = live.caller;
        let mut clients = self.look(caller, move |tx| client::live_of(tx, caller.session)).await?;
        for client in &mut clients {
            client.current = client.id == caller.client;
            if let Some(live) = self.callers.by_client(client.id) {
                client.seen_at = client.seen_at.max(live.seen_at());
            }
        }
        Ok(clients)
    }

    /// The caller's client leaves.
    pub async fn logout(&self, live: &Live, now: Timestamp) -> Result<()> {
        let caller = live.caller;
        self.change(caller, move |tx| client::leave(tx, caller, EndReason::LoggedOut, None, now).map(drop)).await
    }

    /// One client of the caller's session leaves.
    pub async fn remove_client(&self, live: &Live, id: ClientId, now: Timestamp) -> Result<()> {
        let caller = live.caller;
        self.change(caller, move |tx| {
            if !client::live_of(tx, caller.session)?.iter().any(|client| client.id == id) {
                return Err(Error::new(Code::NotFound, "this session has no such client"));
            }
            let leaver = crate::model::Caller { client: id, ..caller };
            client::leave(tx, leaver, EndReason::Removed, None, now).map(drop)
        })
        .await
    }

    /// Every client but the caller's leaves.
    pub async fn remove_other_clients(&self, live: &Live, now: Timestamp) -> Result<()> {
        let caller = live.caller;
        self.change(caller, move |tx| {
            for other in client::live_of(tx, caller.session)?.iter().filter(|client| client.id != caller.client) {
                let leaver = crate::model::Caller { client: other.id, ..caller };
                client::leave(tx, leaver, EndReason::Removed, None, now)?;
            }
            Ok(())
        })
        .await
    }

    /// The session ends for every client.
    pub async fn end_session(&self, live: &Live, now: Timestamp) -> Result<()> {
        let caller = live.caller;
        self.change(caller, move |tx| session::end(tx, caller.session, EndReason::SessionEnded, None, now).map(drop))
            .await
    }

    /// PASS. Hashing happens outside the transaction, so inside it the stored hash must still be the one that was judged.
    pub(super) async fn set_password(
        &self,
        live: &Arc<Live>,
        new: Password,
        current: Option<Password>,
        label: Option<Label>,
        now: Timestamp,
    ) -> Result<Answer> {
        let caller = live.caller;
        for _ in 0..JUDGED {
            let (reader, known) = (live.clone(), label.clone());
            let (answered, stored) = self
                .look(caller, move |tx| {
                    let answered = known.as_ref().map(|label| label.answered(tx, &reader, now)).transpose()?.flatten();
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
                    return Err(Error::new(Code::PasswordMismatch, "this is not the current password"));
                }
            }
            let hash = self.hasher.hash(new.clone()).await?;
            let (label, limits) = (label.clone(), self.limits.clone());
            let done = self
                .change(caller, move |tx| {
                    store_password(tx, caller, stored.as_deref(), &hash, label.as_ref(), now, &limits)
                })
                .await?;
            if let Some(answer) = done {
                return Ok(answer);
            }
        }
        Err(Error::retry(Code::Overloaded, 1, "the password is being changed elsewhere at this moment"))
    }

    pub(super) fn new_client(&self, name: String, secret: &Secret, now: Timestamp) -> NewClient {
        NewClient { name, secret: secret.hash(), expires_at: now.plus(self.limits.client_lifetime) }
    }
}

/// `None` if the password is not the one any more that the change was judged by.
fn store_password(
    tx: &store::Write,
    caller: crate::model::Caller,
    judged: Option<&str>,
    hash: &str,
    label: Option<&Label>,
    now: Timestamp,
    limits: &Limits,
) -> Result<Option<Answer>> {
    if !session::set_password(tx, caller.session, judged, hash)? {
        return Ok(None);
    }
    let mut act = Act::new(tx, caller, label.map(|label| label.text.as_str()), now, limits)?;
    let action = if judged.is_some() { Action::PasswordChanged } else { Action::PasswordSet };
    let nick = Some(act.nick().to_string());
    let subject = Subject { session: Some(caller.session), client: Some(caller.client), nick, address: None };
    store::audit::record(tx, action, &subject, now)?;
    act.notice(match judged {
        Some(_) => "The password of this session was changed.",
        None => "A password was set: this session can now be rejoined from other devices by logging in.",
    })?;
    act.answer.replies.push(Reply::command("NOTE", &[&"PASS", &"PASSWORD_SET", &"The password is set"]));
    let answer = std::mem::take(&mut act.answer);
    if let Some(label) = label {
        label.keep(&act, &answer)?;
    }
    Ok(Some(answer))
}

/// What a new client is told of its session and itself.
pub(super) fn admitted(
    tx: &store::Write,
    session: crate::model::SessionId,
    client: ClientId,
) -> Result<(session::Session, ClientView)> {
    let view = client::live_of(tx, session)?.into_iter().find(|view| view.id == client);
    let mut view = view.ok_or_else(|| Error::internal("a new client is missing"))?;
    view.current = true;
    Ok((session::get(tx, session)?, view))
}

/// NICK: one event to everyone who can see the session.
pub fn rename(act: &mut Act, nick: Nick) -> Result<()> {
    if nick.as_str() == act.nick().as_str() {
        return Ok(());
    }
    session::rename(act.tx, act.caller.session, &nick)?;
    let targets = act.everyone()?;
    act.emit("NICK", &[&nick], &targets)
}

/// QUIT: this client leaves; others hear of it only if it was the last.
pub fn quit(act: &mut Act, reason: Option<&str>) -> Result<()> {
    let ended = client::leave(act.tx, act.caller, EndReason::Quit, reason, act.now)?;
    act.answer.ids.extend(ended);
    Ok(())
}
