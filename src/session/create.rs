//! Creating a session: a nick and its first client.

use std::net::IpAddr;

use super::{core::Core, devices};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{ClientView, Network, Nick, SessionId, Timestamp},
    secret::Secret,
    store::{
        Priority, Read, Write, audit, client,
        session::{self, Session},
        target,
    },
};

/// A client that was just let in, and its secret.
#[derive(Debug)]
pub struct AdmittedClient {
    /// The client's secret. It is handed out once and stored only as a hash.
    pub secret: Secret,
    /// The session it belongs to.
    pub session: Session,
    /// The client as it sees itself.
    pub client: ClientView,
}

impl Core {
    /// Creates a session and its first client. It fails with `nickname_in_use` or
    /// `too_many_sessions`.
    pub async fn create(
        &self,
        nick: Nick,
        client_name: String,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<AdmittedClient> {
        let secret = Secret::generate()?;
        let new = self.new_client(client_name, &secret, address, now);
        let max = self.limits.max_sessions;
        let (session, client) = self
            .store
            .write_as(Priority::Ordinary, move |tx| {
                if let Some(max) = max {
                    require_room(tx, Network::of(address), max)?;
                }
                let session = insert(tx, &nick, address, now)?;
                let client = devices::insert(tx, session, &new, now)?;
                Ok((session::get(tx, session)?, client::own_view(tx, client)?))
            })
            .await?;
        Ok(AdmittedClient {
            secret,
            session,
            client,
        })
    }
}

/// Creates a session for a request from `address`. The caller inserts its first client in the same
/// transaction. It fails with `nickname_in_use`.
pub fn insert(tx: &Write, nick: &Nick, address: IpAddr, now: Timestamp) -> Result<SessionId> {
    let id = session::insert(tx, target::insert(tx)?, nick, address, now)?;
    let subject = Subject {
        session: Some(id),
        nick: Some(nick.to_string()),
        address: Some(address),
        ..Subject::default()
    };
    audit::record(tx, Action::SessionCreated, &subject, now)?;
    Ok(id)
}

/// Refuses one more session with `too_many_sessions` if the network has `max` live sessions, or a
/// wider network around it has `max` times its factor.
fn require_room(tx: &Read, network: Network, max: i64) -> Result<()> {
    for network in network.and_wider() {
        let max = max.saturating_mul(network.width().factor().into());
        if session::count_from(tx, network, max)? >= max {
            let detail = format!(
                "your network ({network}) already has {max} sessions, which is the \
                 limit"
            );
            return Err(Error::new(Code::TooManySessions, detail));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Moment, password::Hasher, session::Limits, store::DatabaseLock};

    /// A wider network's limit holds even if narrower networks in it have room left.
    #[tokio::test]
    async fn live_sessions_are_counted_by_network_and_by_wider_networks() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits {
            max_sessions: Some(2),
            ..Limits::for_test()
        };
        let lock = DatabaseLock::for_server(&dir.path().join("c.db")).unwrap();
        let hasher = Hasher::start(1).unwrap();
        let core = Core::open(lock, None, limits, hasher, drop, Timestamp(0)).unwrap();
        let mut made = 0;
        let mut create = async |address: String| {
            made += 1;
            let nick = Nick::parse(&format!("s{made}")).unwrap();
            core.create(
                nick,
                "laptop".into(),
                address.parse().unwrap(),
                Timestamp(0),
            )
            .await
        };
        let mut fill = async |prefix: &str, networks: std::ops::Range<u32>| {
            let mut passed = 0;
            for n in networks {
                for host in 1..4 {
                    match create(format!("{prefix}{n:x}::{host}")).await {
                        Ok(_) => passed += 1,
                        Err(refusal) => assert_eq!(refusal.code, Code::TooManySessions),
                    }
                }
            }
            passed
        };
        assert_eq!(fill("2001:db8:1:", 0..1).await, 2, "of a /64");
        assert_eq!(fill("2001:db8:1:", 1..6).await, 4, "6 of a /56");
        assert_eq!(fill("2001:db8:1:", 0x100..0x108).await, 6, "of another /56");
        assert_eq!(fill("2001:db8:1:", 0x200..0x205).await, 6);
        assert_eq!(fill("2001:db8:1:", 0x300..0x305).await, 2, "20 of a /48");
        assert_eq!(
            fill("2001:db8:2:", 0..1).await,
            2,
            "another network has its own"
        );
        for (address, passes) in [
            ("192.0.2.1", true),
            ("192.0.2.1", true),
            ("192.0.2.1", false),
            ("192.0.2.2", true),
        ] {
            assert_eq!(
                create(address.to_owned()).await.is_ok(),
                passes,
                "{address}"
            );
        }
        // A session that ends makes room for another.
        let gone = core
            .create(
                Nick::parse("gone").unwrap(),
                "x".into(),
                [192, 0, 2, 3].into(),
                Timestamp(0),
            )
            .await
            .unwrap();
        let at = Moment {
            now: Timestamp(0),
            due: Timestamp(0),
        };
        let live = core.authenticate(gone.secret.hash(), at).await.unwrap();
        create("192.0.2.3".to_owned()).await.unwrap();
        create("192.0.2.3".to_owned()).await.unwrap_err();
        core.end_session(&live, Timestamp(0)).await.unwrap();
        create("192.0.2.3".to_owned()).await.unwrap();
    }
}
