//! Invariants of the design, which must always hold.

use proptest::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    steps,
    world::{Check, Listener, World, message},
};
use crate::support::{JsonAnswer, TEST_TIMEOUT};

impl World {
    /// Checks every invariant.
    pub async fn check(&mut self) -> Check {
        self.check_streams().await?;
        self.check_ended().await?;
        for who in self.model.live() {
            self.poll(who, None, 500).await?;
            for limit in [500, 20, 1 + who % 5] {
                // Reading from before the queue's beginning returns nothing older.
                let mut after = 0;
                while self.poll(who, Some(after), limit).await? {
                    after = self.hands[who].next;
                }
            }
            self.snapshot(who).await?;
            let clients = self.hands[who].device.get("/api/v1/clients").await;
            let ids = clients
                .items()
                .iter()
                .map(|client| client["id"].as_i64().unwrap());
            let siblings = self.model.live_of(self.model.clients[who].session);
            prop_assert_eq!(
                ids.collect::<Vec<_>>(),
                siblings
                    .iter()
                    .map(|n| self.model.clients[*n].id)
                    .collect::<Vec<_>>()
            );
        }
        for (name, channel) in &self.model.channels {
            let banned = channel
                .members
                .keys()
                .all(|key| self.model.is_banned(name, *key));
            prop_assert!(channel.has_op() || banned, "{} has no op", name);
        }
        // Reads one client's queue from every position, because stays on a channel may begin and
        // end at any of them.
        if let Some(who) = self.who(self.story.len() as u8) {
            for after in 0..=self.model.head {
                self.poll(who, Some(after), 2).await?;
            }
        }
        let list = self
            .server
            .device()
            .get("/api/v1/channels?after=&limit=500")
            .await;
        let listed = self
            .model
            .channels
            .values()
            .filter(|channel| !channel.flags.contains(&'s'));
        let expected = listed.map(|channel| {
            if channel.flags.contains(&'i') || channel.key.is_some() {
                return json!({"name": channel.name});
            }
            match &channel.topic {
                Some((topic, _)) => {
                    json!({"name": channel.name, "topic": topic, "members": channel.members.len()})
                }
                None => json!({"name": channel.name, "members": channel.members.len()}),
            }
        });
        prop_assert_eq!(&list["channels"], &Value::Array(expected.collect()));
        Ok(())
    }

    /// The secret of an ended client does not work, and the refusal gives the reason.
    pub async fn check_ended(&mut self) -> Check {
        for (n, client) in self.model.clients.iter().enumerate() {
            let Some(reason) = client.ended else { continue };
            let refusal = self.hands[n]
                .device
                .call(Method::GET, "/api/v1/messages?timeout=0")
                .await;
            let refusal = refusal.map_err(|problem| (problem.code, problem.body["reason"].clone()));
            prop_assert_eq!(
                refusal,
                Err(("client_ended".to_owned(), json!(reason.name()))),
                "client {}",
                n
            );
        }
        Ok(())
    }

    /// Streams receive exactly the events of the queue.
    pub async fn check_streams(&mut self) -> Check {
        let live = self.model.live();
        // Each listening client hears this last event. Everything before it has arrived by then.
        for who in live
            .iter()
            .copied()
            .filter(|who| self.listeners.iter().any(|l| l.client == *who))
            .collect::<Vec<_>>()
        {
            let session = self.model.clients[who].session;
            let me = self.model.sessions[&session].nick.clone();
            let actual = self.hands[who]
                .device
                .try_send(&format!("NOTICE {me} :last"))
                .await;
            self.model
                .happens(session, "NOTICE", [&me[..], "last"], [session].into());
            self.model.fresh.last_mut().unwrap().with = Some(session);
            self.answered(Ok(Vec::new()), actual, None).await?;
        }
        for mut listener in std::mem::take(&mut self.listeners) {
            let Listener { client, after, .. } = listener;
            let expected: Vec<_> = self
                .model
                .queue(client, after)
                .map(|event| message(event, client))
                .collect();
            let mut seen = Vec::new();
            let Some(reason) = self.model.clients[client].ended else {
                while seen.last().map(|last: &Value| &last["id"])
                    != expected.last().map(|last| &last["id"])
                {
                    let heard = tokio::time::timeout(TEST_TIMEOUT, listener.stream.message()).await;
                    let Ok(Some(heard)) = heard else {
                        return Err(TestCaseError::fail(format!(
                            "client {client}'s stream ended, or waits after {seen:?}"
                        )));
                    };
                    seen.push(self.seen(&heard)?);
                }
                prop_assert_eq!(
                    seen,
                    expected,
                    "the stream of client {} past {}",
                    client,
                    after
                );
                listener.after = self.model.head;
                self.listeners.push(listener);
                continue;
            };
            // The end of a stream may come before the rest of its events.
            let mut said = None;
            while let Some(frame) = listener.stream.frame().await {
                let field = |name: &str| {
                    frame
                        .iter()
                        .find(|(n, _)| n == name)
                        .map(|(_, value)| value.clone())
                };
                match (field("event"), field("data")) {
                    (Some(_), data) => said = data,
                    (None, Some(data)) => {
                        seen.push(self.seen(&serde_json::from_str(&data).unwrap())?)
                    }
                    (None, None) => {}
                }
            }
            prop_assert_eq!(
                said,
                Some(json!({"reason": reason.name()}).to_string()),
                "client {}",
                client
            );
            prop_assert!(
                expected.starts_with(&seen),
                "client {client} heard {seen:?} of {expected:?}"
            );
        }
        Ok(())
    }

    /// Streams that were opened with a renewed secret end without an event.
    pub async fn cut(&mut self, who: usize) -> Check {
        let listeners = std::mem::take(&mut self.listeners).into_iter();
        let (over, others): (Vec<_>, _) = listeners.partition(|listener| listener.client == who);
        self.listeners = others;
        for mut listener in over {
            while let Some(frame) = listener.stream.frame().await {
                prop_assert!(!frame.iter().any(|(name, _)| name == "event"), "{frame:?}");
            }
        }
        Ok(())
    }

    /// A nick is taken exactly if a live session has it.
    pub async fn check_nicks(&mut self) -> Check {
        for nick in steps::nicks() {
            let taken = self
                .server
                .device()
                .try_create_session(nick)
                .await
                .err()
                .map(|problem| problem.code);
            let expected = self.model.find(nick).map(|_| "nickname_in_use".to_owned());
            prop_assert_eq!(taken, expected, "{}", nick);
        }
        Ok(())
    }
}
