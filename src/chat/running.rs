//! A running chat: the state it keeps in memory beside the core. Only commits change it.

use std::sync::Arc;

use crate::{
    chat::{
        channel_list::{ChannelList, latest::Latest},
        delivery::hub::Hub,
        lookalikes::Lookalikes,
    },
    error::Result,
    session::Core,
    store::{self, Effect},
};

/// A running chat.
pub struct Chat {
    /// What chat shares with oauth.
    pub core: Arc<Core>,
    /// The connected clients, and what they listen to.
    pub(super) hub: Arc<Hub>,
    /// Finds channel names that look alike.
    pub(super) lookalikes: Arc<Lookalikes>,
    /// The public list of channels. Commits mark it as changed.
    pub(super) channel_list: Arc<Latest>,
}

/// The parts of a chat that hear of each commit.
#[derive(Clone, Default)]
pub struct Observers {
    hub: Arc<Hub>,
    lookalikes: Arc<Lookalikes>,
    channel_list: Arc<Latest>,
}

impl Observers {
    /// Applies the effects of one commit.
    pub fn apply(&self, effects: Vec<Effect>) {
        effects
            .iter()
            .for_each(|effect| self.lookalikes.apply(effect));
        self.channel_list.apply(&effects);
        self.hub.apply(effects);
    }
}

impl Chat {
    /// A chat on a core whose commits these observers hear of. It loads the channels in the
    /// database.
    pub fn on(core: Arc<Core>, observers: Observers) -> Result<Self> {
        let Observers {
            hub,
            lookalikes,
            channel_list,
        } = observers;
        core.store.read_now(|tx| {
            store::membership::for_each_live(tx, |effect| hub.apply([effect]))?;
            hub.start_at(store::log::head(tx)?);
            lookalikes.load(tx)
        })?;
        Ok(Self {
            core,
            hub,
            lookalikes,
            channel_list,
        })
    }

    /// The public list of channels, at most a second old.
    pub async fn channel_list(&self) -> Result<Arc<ChannelList>> {
        self.channel_list.list(&self.core).await
    }

    /// How many polls and streams are open.
    pub fn connections(&self) -> usize {
        self.hub.connections()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::{
        error::Code,
        irc::{Message, Request},
        model::{Arrival, Moment, Nick, Timestamp},
        password::Hasher,
        session::Limits,
        store::DatabaseLock,
    };

    /// A client that was authenticated just before its end can neither write nor read.
    #[tokio::test]
    async fn the_caller_is_checked_again_in_the_transaction() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DatabaseLock::for_server(&dir.path().join("c.db")).unwrap();
        let hasher = Hasher::start(1).unwrap();
        let core = Core::open(lock, None, Limits::for_test(), hasher, drop, Timestamp(0));
        let chat = Chat::on(Arc::new(core.unwrap()), Observers::default()).unwrap();
        let core = &chat.core;
        let (nick, now) = (Nick::parse("alice").unwrap(), Timestamp(0));
        let at = Moment { now, due: now };
        let arrival = Arrival {
            address: [127, 0, 0, 1].into(),
            at,
            steady: Duration::ZERO,
        };
        let secret = core
            .create(nick, "laptop".into(), arrival.address, now)
            .await
            .unwrap()
            .secret;
        let live = core.authenticate(secret.hash(), at).await.unwrap();
        core.logout(&live, now).await.unwrap();
        for line in ["JOIN #rust", "WHOIS alice", "PASS :correct horse battery"] {
            let request = Request::parse(Message::parse_line(line).unwrap()).unwrap();
            let late = chat
                .execute(&live, request, arrival, None)
                .await
                .unwrap_err();
            assert_eq!(late.code, Code::ClientEnded, "{line}");
        }
        assert_eq!(
            chat.snapshot(&live, true).await.unwrap_err().code,
            Code::ClientEnded
        );
    }
}
