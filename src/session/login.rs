//! Login: rejoining a session from another client, or renewing one's own.

use std::{net::IpAddr, sync::Arc};

use super::{
    callers::LiveClient, core::Core, create::AdmittedClient, devices::insert as insert_client,
    lifecycle, live_check::require_live, notice::notice, password_guesses::device_of,
    visibility::Visibility,
};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Extra, Result},
    model::{
        AddressFamily, Arrival, Caller, ClientId, ClientView, EndReason, HashedPassword, Nick,
        Password, SessionId, Timestamp,
    },
    password::Verdict,
    secret::Secret,
    store::{
        Priority, Read, Write, audit,
        client::{self, NewClient},
        session::{self, Session},
    },
};

/// What a login is asked with.
#[derive(Debug)]
pub struct Login {
    /// `None`: no session can have what was given as its nick. It is refused like any other.
    pub nick: Option<Nick>,
    pub password: Password,
    pub client_name: String,
    /// Whether the request itself gave that name: then a client that is renewed takes it, too.
    pub names_client: bool,
    /// The client to remove if there are too many.
    pub replace: Option<ClientId>,
}

/// How often a login is judged anew when another changes the password, or makes its hash anew,
/// while this one is verified.
const JUDGED: usize = 3;

/// What was found right, and must still be so when it counts.
struct Verified {
    session: Session,
    stored: HashedPassword,
    /// The same password with today's parameters, where the stored hash has others.
    rehashed: Option<HashedPassword>,
}

/// What a login is admitted by.
#[derive(Clone, Copy)]
struct Terms {
    /// Clients of a session, at most.
    max: usize,
    replace: Option<ClientId>,
    names_client: bool,
}

impl Core {
    /// Admits a new client to the session with this nick and password; from a live client of that
    /// session it renews that client. `present` is the caller the request's own cookie names, if
    /// any.
    ///
    /// An unknown nick, a session without password and a wrong password are one refusal and the
    /// same work.
    pub async fn login(
        &self,
        login: Login,
        present: Option<Arc<LiveClient>>,
        arrival: Arrival,
    ) -> Result<AdmittedClient> {
        let present = present.map(|live| live.caller);
        let nick = login.nick.clone();
        let found = self.find(nick.clone()).await?;
        let attempt = self
            .begin_login(nick.as_ref(), found.as_ref(), present, &arrival)
            .await?;
        let result = self.judge(&login, nick, found, present, &arrival).await;
        if !matches!(&result, Err(error) if error.code == Code::LoginFailed) {
            attempt.pass();
        }
        result
    }

    async fn find(&self, nick: Option<Nick>) -> Result<Option<Session>> {
        self.store
            .read(move |tx| {
                nick.map_or(Ok(None), |nick| {
                    Visibility::unrestricted(tx).find_session(&nick)
                })
            })
            .await
    }

    /// Judges the password of a session that was found by its nick, or of none.
    async fn judge(
        &self,
        login: &Login,
        nick: Option<Nick>,
        mut found: Option<Session>,
        present: Option<Caller>,
        arrival: &Arrival,
    ) -> Result<AdmittedClient> {
        let mut subject = Subject::default();
        for _ in 0..JUDGED {
            // What is nobody's nick is not written down: it may be a password in the wrong field.
            let of_attempt = Subject {
                address: Some(arrival.address),
                ..Subject::default()
            };
            subject = found
                .as_ref()
                .map_or(of_attempt.clone(), |session| session.subject(of_attempt));
            let stored = found
                .as_ref()
                .and_then(|session| session.password_hash.clone());
            let own = present.filter(|caller| {
                found
                    .as_ref()
                    .is_some_and(|session| session.id == caller.session)
            });
            let asker = own.map_or(arrival.network().into(), |caller| {
                device_of(caller, arrival)
            });
            let verdict = self
                .hasher
                .verify(asker, login.password.clone(), stored.clone())
                .await?;
            let (Some(session), Some(stored), Verdict::Right | Verdict::RightButOutdated) =
                (found, stored, verdict)
            else {
                break;
            };
            let rehashed = match verdict {
                Verdict::RightButOutdated => {
                    Some(self.hasher.hash(asker, login.password.clone()).await?)
                }
                _ => None,
            };
            let verified = Verified {
                session,
                stored,
                rehashed,
            };
            if let Some(admitted) = self
                .admit_verified(login, verified, present, subject.clone(), arrival)
                .await?
            {
                if let Err(refusal) = &admitted {
                    self.record_refusal(Action::LoginRefused(refusal.code), subject, arrival)
                        .await?;
                }
                return admitted;
            }
            found = self.find(nick.clone()).await?;
        }
        self.record_refusal(Action::LoginFailed, subject, arrival)
            .await?;
        Err(Error::new(
            Code::LoginFailed,
            "there is no session with this nick and this password",
        ))
    }

    /// Lets a verified login in, or refuses it for another reason, which is recorded. `None` if
    /// what was verified is so no more: then it is judged anew.
    async fn admit_verified(
        &self,
        login: &Login,
        Verified {
            session,
            stored,
            rehashed,
        }: Verified,
        present: Option<Caller>,
        subject: Subject,
        &Arrival { address, now, .. }: &Arrival,
    ) -> Result<Option<Result<AdmittedClient>>> {
        let secret = Secret::generate()?;
        let new = self.new_client(login.client_name.clone(), &secret, address, now);
        let max = self.limits.max_clients;
        let terms = Terms {
            max,
            replace: login.replace,
            names_client: login.names_client,
        };
        let admission = self
            .store
            .write_as(Priority::Entry, move |tx| {
                // The same session, live, with the same password.
                let current = Visibility::unrestricted(tx)
                    .find_session(&session.nick)?
                    .filter(|s| s.id == session.id);
                if current.and_then(|s| s.password_hash).as_ref() != Some(&stored) {
                    return Ok(None);
                }
                let client = match admit(tx, &session, present, &new, terms, now) {
                    Ok(client) => client,
                    Err(refusal) if refusal.is_failure() => return Err(refusal),
                    // It is recorded afterwards; nothing was done in this transaction.
                    Err(refusal) => return Ok(Some(Err(refusal))),
                };
                if let Some(hash) = &rehashed {
                    session::set_password(tx, session.id, Some(&stored), hash)?;
                }
                audit::record(
                    tx,
                    Action::LoginOk,
                    &Subject {
                        client: Some(client),
                        ..subject.clone()
                    },
                    now,
                )?;
                Ok(Some(Ok((
                    session::get(tx, session.id)?,
                    client::own_view(tx, client)?,
                ))))
            })
            .await?;
        let admitted = |(session, client)| AdmittedClient {
            secret,
            session,
            client,
        };
        Ok(admission.map(|admission| admission.map(admitted)))
    }
}

/// Lets the verified login in: as the client it already is, or as one more.
fn admit(
    tx: &Write,
    session: &Session,
    present: Option<Caller>,
    new: &NewClient,
    Terms {
        max,
        replace,
        names_client,
    }: Terms,
    now: Timestamp,
) -> Result<ClientId> {
    // One that has ended since the request came is no client of anything.
    let live = |caller| Error::refused_as_none(require_live(tx, caller).map(|()| caller));
    if let Some(present) = present.map(live).transpose()?.flatten() {
        if present.session != session.id {
            return Err(already_in_session());
        }
        client::renew(
            tx,
            present,
            new,
            names_client.then_some(new.name.as_str()),
            now,
        )?;
        // A renewal puts a copied cookie out. What its holder approved meanwhile must not let it back
        // in.
        lifecycle::void_approvals(tx, present.session, None)?;
        return Ok(present.client);
    }
    let others = client::live_of(tx, session.id)?;
    let replaced = others
        .iter()
        .find(|client| Some(client.id) == replace)
        .map(|client| client.id);
    if others.len() >= max && replaced.is_none() {
        let detail = format!(
            "a session has at most {max} clients: choose one to remove and log in with its id as replace"
        );
        // The one that asks is no device of the session yet.
        let others = others
            .into_iter()
            .map(|client| ClientView {
                address: None,
                ..client
            })
            .collect();
        return Err(Error {
            extra: Extra::Clients(others),
            ..Error::new(Code::TooManyClients, detail)
        });
    }
    announce(tx, session, "A device logged in to this session", new, now)?;
    // In before the other is out: the session never is without a client.
    let client = insert_client(tx, session.id, new, now)?;
    if let Some(id) = replaced {
        lifecycle::end_client(tx, session.id, id, EndReason::Removed, None, now)?;
    }
    Ok(client)
}

/// Lets in the client of a grant that the session gave: one more device.
pub fn admit_granted(
    tx: &Write,
    session: SessionId,
    new: &NewClient,
    max: usize,
    now: Timestamp,
) -> Result<ClientId> {
    require_place(tx, session, 0, max)?;
    announce(
        tx,
        &session::get(tx, session)?,
        "An app joined this session",
        new,
        now,
    )?;
    insert_client(tx, session, new, now)
}

/// Tells the session's devices of an app that was let in and is no device itself.
pub fn announce_app(tx: &Write, session: SessionId, name: &str, now: Timestamp) -> Result<()> {
    let text = format!("An app was let in, to know who you are: {name}.");
    notice(tx, &session::get(tx, session)?, text, None, now).map(drop)
}

/// Tells the session's devices that a token or a code of an app came back that was used before, and
/// so is in two hands.
pub fn tell_of_theft(
    tx: &Write,
    session: SessionId,
    name: &str,
    address: IpAddr,
    now: Timestamp,
) -> Result<()> {
    let family = AddressFamily::of(address).name();
    let text = format!(
        "Somebody else may have had access through the app {name}: what it signs in with was used a second time, from an \
         {family} address. That access is ended; let the app in again if you still want it."
    );
    notice(tx, &session::get(tx, session)?, text, None, now).map(drop)
}

/// Refuses where a session has as many devices as it may have, with those that are coming.
pub fn require_place(tx: &Read, session: SessionId, coming: usize, max: usize) -> Result<()> {
    if client::live_of(tx, session)?.len() + coming < max {
        return Ok(());
    }
    let detail = format!("the session has {max} clients already: one of them has to leave first");
    Err(Error::new(Code::TooManyClients, detail))
}

/// Tells the session's clients of the one that comes; its own queue begins after that.
fn announce(
    tx: &Write,
    session: &Session,
    what: &str,
    new: &NewClient,
    now: Timestamp,
) -> Result<()> {
    let family = AddressFamily::of(new.address).name();
    let text = format!("{what}: {}, from an {family} address.", new.name);
    notice(tx, session, text, None, now).map(drop)
}

/// The cookie presented names a live client of another session, or of any, where none is expected.
pub fn already_in_session() -> Error {
    Error::new(
        Code::AlreadyInSession,
        "this browser is in a session already: quit it or log out first",
    )
}
