//! Login: rejoining a session from another client, or renewing the client one has.

use std::sync::Arc;

use super::{
    core::Core, create::AdmittedClient, devices::insert as insert_client, lifecycle,
    live_check::require_live, live_client::LiveClient, notice::announce,
    password_guesses::asker_of, visibility::Visibility,
};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Extra, Result},
    model::{
        Arrival, Caller, ClientId, ClientView, EndReason, HashedPassword, Moment, Nick, Password,
        Timestamp,
    },
    password::Verdict,
    secret::Secret,
    store::{
        Priority, Write, audit,
        client::{self, NewClient},
        session::{self, Session},
    },
};

/// The parameters of a login.
#[derive(Debug)]
pub struct Login {
    /// The nick. `None` if the given text cannot be a nick; such a login is refused like any failed
    /// login.
    pub nick: Option<Nick>,
    /// The password to verify.
    pub password: Password,
    /// The name of the new client.
    pub client_name: String,
    /// Whether the request itself gave that name. If so, a renewed client takes the name too.
    pub names_client: bool,
    /// The client to remove if the session has as many as it may have.
    pub replace: Option<ClientId>,
}

/// How often a login is judged when other requests change the password, or its hash, while this one
/// verifies it.
const MAX_ATTEMPTS: usize = 3;

/// A verified password. The transaction checks again that the session and its hash are the same.
struct Verified {
    session: Session,
    stored: HashedPassword,
    /// The same password hashed with today's parameters, if the stored hash has others.
    rehashed: Option<HashedPassword>,
}

/// The conditions under which a login is admitted.
#[derive(Clone, Copy)]
struct Terms {
    /// Devices of a session, at most.
    max: usize,
    replace: Option<ClientId>,
    names_client: bool,
}

impl Core {
    /// Admits a new client to the session with this nick and password. If the caller is a live
    /// client of that session already, its client is renewed instead. `current_caller` is the
    /// caller that the request's own cookie names, if any.
    ///
    /// It fails with `login_failed`, `too_many_clients`, `already_in_session`, `throttled` or
    /// `overloaded`. An unknown nick, a session without a password and a wrong password get the
    /// same refusal after the same work.
    pub async fn login(
        &self,
        login: Login,
        current_caller: Option<Arc<LiveClient>>,
        arrival: Arrival,
    ) -> Result<AdmittedClient> {
        let current_caller = current_caller.map(|live| live.caller);
        let nick = login.nick.clone();
        let found = self.find(nick.clone()).await?;
        let attempt = self
            .begin_login(nick.as_ref(), found.as_ref(), current_caller, &arrival)
            .await?;
        let result = self
            .judge(&login, nick, found, current_caller, &arrival)
            .await;
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

    /// Verifies the password against the session that was found by the nick, or against none.
    async fn judge(
        &self,
        login: &Login,
        nick: Option<Nick>,
        mut found: Option<Session>,
        current_caller: Option<Caller>,
        arrival: &Arrival,
    ) -> Result<AdmittedClient> {
        let mut subject = Subject::default();
        for _ in 0..MAX_ATTEMPTS {
            // A nick that no session has is not recorded: it may be a password typed into the wrong
            // field.
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
            let own = current_caller.filter(|caller| {
                found
                    .as_ref()
                    .is_some_and(|session| session.id == caller.session)
            });
            let asker = own.map_or(arrival.network().into(), |caller| asker_of(caller, arrival));
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
                .admit_verified(login, verified, current_caller, subject.clone(), arrival)
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

    /// Admits a verified login, or refuses it for another reason; the caller records the refusal.
    /// `None` if the session or its hash has changed since it was verified: then the caller judges
    /// again.
    async fn admit_verified(
        &self,
        login: &Login,
        Verified {
            session,
            stored,
            rehashed,
        }: Verified,
        current_caller: Option<Caller>,
        subject: Subject,
        &Arrival {
            address,
            at: Moment { now, .. },
            ..
        }: &Arrival,
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
                // It must be the same live session with the same password.
                let current = Visibility::unrestricted(tx)
                    .find_session(&session.nick)?
                    .filter(|s| s.id == session.id);
                if current.and_then(|s| s.password_hash).as_ref() != Some(&stored) {
                    return Ok(None);
                }
                let client = match renew_or_add(tx, &session, current_caller, &new, terms, now) {
                    Ok(client) => client,
                    Err(refusal) if refusal.is_failure() => return Err(refusal),
                    // The caller records the refusal afterwards. This transaction has changed
                    // nothing.
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

/// Admits the verified login: as the client it already is, or as a new one.
fn renew_or_add(
    tx: &Write,
    session: &Session,
    current_caller: Option<Caller>,
    new: &NewClient,
    Terms {
        max,
        replace,
        names_client,
    }: Terms,
    now: Timestamp,
) -> Result<ClientId> {
    // A client that has ended since the request arrived belongs to no session.
    let live = |caller| Error::refused_as_none(require_live(tx, caller).map(|()| caller));
    if let Some(current_caller) = current_caller.map(live).transpose()?.flatten() {
        if current_caller.session != session.id {
            return Err(already_in_session());
        }
        client::renew(
            tx,
            current_caller,
            new,
            names_client.then_some(new.name.as_str()),
            now,
        )?;
        // A renewal invalidates a copied cookie. Approvals that its holder gave meanwhile must not
        // let the holder back in.
        lifecycle::void_approvals(tx, current_caller.session, None)?;
        return Ok(current_caller.client);
    }
    let others = client::devices_of(tx, session.id)?;
    let replaced = others
        .iter()
        .find(|client| Some(client.id) == replace)
        .map(|client| client.id);
    if others.len() >= max && replaced.is_none() {
        let detail = format!(
            "the session already has {max} clients: choose one to remove, and log in with its id as \
             `replace`"
        );
        // The caller is no device of the session yet, and is shown no addresses.
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
    // The new client is added before the other is removed, because a session without a device ends.
    let client = insert_client(tx, session.id, new, now)?;
    if let Some(id) = replaced {
        lifecycle::end_client(tx, session.id, id, EndReason::Removed, None, now)?;
    }
    Ok(client)
}

/// The `already_in_session` error: the request's cookie belongs to a live client of another
/// session, or of any session where none is expected.
pub fn already_in_session() -> Error {
    Error::new(
        Code::AlreadyInSession,
        "this browser already has a session: log out of it first",
    )
}
