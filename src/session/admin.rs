//! Sessions as the operator sees them, and ends them.

use super::{core::Core, lifecycle, visibility::Visibility};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{ClientView, EndReason, Nick, SessionId, Timestamp},
    store::{
        Read, audit, client,
        session::{self, Overview, Session},
    },
};

/// A session by its nick, or by its id, which stays when the nick changes. No nick begins with a
/// digit.
#[derive(Clone, Debug)]
pub enum Named {
    Nick(Nick),
    Id(SessionId),
}

impl Named {
    pub fn parse(text: &str) -> Result<Self> {
        let nick = |_| Nick::parse(text).map(Self::Nick).map_err(|_| none(text));
        text.parse().map(|id| Self::Id(SessionId(id))).or_else(nick)
    }

    /// The live session of this name.
    pub fn find(&self, tx: &Read) -> Result<Session> {
        match self {
            Self::Nick(nick) => Visibility::unrestricted(tx)
                .find_session(nick)?
                .ok_or_else(|| none(nick.as_str())),
            Self::Id(id) => session::find(tx, *id)?.ok_or_else(|| none(&id.to_string())),
        }
    }
}

fn none(name: &str) -> Error {
    Error::new(Code::NotFound, format!("there is no live session {name:?}"))
}

impl Core {
    /// Live sessions after one, by their ids.
    pub async fn sessions(&self, after: SessionId, limit: usize) -> Result<Vec<Overview>> {
        self.store
            .read(move |tx| session::overviews(tx, after, limit))
            .await
    }

    /// A live session, and its devices with their use up to now.
    pub async fn session(&self, named: Named) -> Result<(Overview, Vec<ClientView>)> {
        let (overview, mut clients) = self
            .store
            .read(move |tx| {
                let session = named.find(tx)?.id;
                let overview = session::overview(tx, session)?;
                Ok((overview, client::live_of(tx, session)?))
            })
            .await?;
        self.note_use(&mut clients);
        let seen_at = clients
            .iter()
            .map(|client| client.seen_at)
            .max()
            .unwrap_or(overview.seen_at);
        Ok((
            Overview {
                seen_at,
                ..overview
            },
            clients,
        ))
    }

    /// The operator ends a session, for every client.
    pub async fn remove_session(&self, named: Named, now: Timestamp) -> Result<()> {
        let id = self
            .store
            .write(move |tx| {
                let session = named.find(tx)?;
                audit::record(
                    tx,
                    Action::ByOperator,
                    &session.subject(Subject::default()),
                    now,
                )?;
                lifecycle::end_session(tx, session.id, EndReason::SessionEnded, None, now)?;
                Ok(session.id)
            })
            .await?;
        tracing::info!(session = %id, "session ended by the operator");
        Ok(())
    }
}
