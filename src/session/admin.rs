//! The operator's commands for sessions: list them, show one, end one.

use super::{core::Core, lifecycle, visibility::Visibility};
use crate::{
    error::{Code, Error, Result},
    model::{ClientView, EndReason, Nick, SessionId, Timestamp},
    store::{
        Read, client,
        session::{self, Overview, Session},
    },
};

/// How the operator names a session. An id begins with a digit and no nick does, so a text is one
/// or the other.
#[derive(Clone, Debug)]
pub enum Named {
    /// By the nick it has now.
    Nick(Nick),
    /// By its id, which stays when the nick changes.
    Id(SessionId),
}

impl Named {
    /// Parses an id or a nick. It fails with `not_found` if the text is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let nick = |_| Nick::parse(text).map(Self::Nick).map_err(|_| none(text));
        text.parse().map(|id| Self::Id(SessionId(id))).or_else(nick)
    }

    /// The live session of this name. It fails with `not_found`.
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
    /// Up to `limit` live sessions whose ids are greater than `after`, in the order of their ids.
    pub async fn sessions(&self, after: SessionId, limit: usize) -> Result<Vec<Overview>> {
        self.store
            .read(move |tx| session::overviews(tx, after, limit))
            .await
    }

    /// A live session and its devices, with their latest use. It fails with `not_found`.
    pub async fn session(&self, named: Named) -> Result<(Overview, Vec<ClientView>)> {
        let (overview, mut clients) = self
            .store
            .read(move |tx| {
                let session = named.find(tx)?.id;
                let overview = session::overview(tx, session)?;
                Ok((overview, client::devices_of(tx, session)?))
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

    /// Ends a session with all its clients, in the operator's name. It fails with `not_found`.
    pub async fn remove_session(&self, named: Named, now: Timestamp) -> Result<()> {
        let id = self
            .store
            .write(move |tx| {
                let session = named.find(tx)?;
                lifecycle::note_operator(tx, &session, now)?;
                lifecycle::end_session(tx, session.id, EndReason::SessionEnded, None, now)?;
                Ok(session.id)
            })
            .await?;
        tracing::info!(session = %id, "session ended by the operator");
        Ok(())
    }
}
