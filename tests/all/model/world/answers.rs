//! Commands and their answers, reading queues, snapshots and restarts.

use super::*;

impl World {
    pub(super) async fn command(
        &mut self,
        who: usize,
        label: bool,
        act: &Act,
        text: &str,
    ) -> Check {
        let label = label.then(|| format!("l{text}"));
        // The messages of each step name another nick.
        let text = &format!("{text} {}", nick(self.steps as u8));
        let line = act.line(text, self.model.head);
        self.story.push(format!("    {line}"));
        let line = label
            .as_ref()
            .map_or(line.clone(), |label| format!("@label={label} {line}"));
        let actual = self.hands[who].device.try_send(&line).await;
        if let (Some(_), Ok(answer)) = (&label, &actual) {
            self.hands[who].labelled = Some((line, answer.clone()));
        }
        let expected = self.model.act(who, act, text);
        self.answered(expected, actual, label.map(|label| (who, label)))
            .await
    }

    /// Sends the same label again. The same command gets the same answer and does nothing more.
    /// Another command is refused.
    pub(super) async fn repeat(&mut self, who: usize, other: bool) -> Check {
        let Some((line, answer)) = self.hands[who].labelled.clone() else {
            return Ok(());
        };
        let sent = if other {
            format!("{line} and more")
        } else {
            line
        };
        let actual = self.hands[who].device.try_send(&sent).await;
        self.story.push(format!("    {sent}: {actual:?}"));
        match actual {
            Ok(again) => prop_assert!(!other && again == answer, "the first answer was {answer}"),
            Err(refusal) => prop_assert!(other && refusal.code == "label_reused", "{refusal:?}"),
        }
        Ok(())
    }

    /// Compares an answer, and tells the model the ids of the new events.
    pub async fn answered(
        &mut self,
        expected: Answer,
        actual: Result<Value, Problem>,
        label: Option<(usize, String)>,
    ) -> Check {
        let Some((actual, replies)) = self.both(expected, actual)? else {
            prop_assert!(self.model.fresh.is_empty());
            return Ok(());
        };
        let ids: Vec<i64> = match actual["ids"].as_array() {
            Some(ids) => {
                let commands = actual.replies().iter().map(|reply| reply.command());
                prop_assert_eq!(commands.collect::<Vec<_>>(), replies);
                ids.iter().map(|id| id.as_i64().unwrap()).collect()
            }
            // An answer without a body has no id. The witness reads it from the log's position.
            None if self.model.fresh.is_empty() => Vec::new(),
            None => vec![self.newest().await - self.model.fresh.len() as i64 + 1],
        };
        self.story.push(format!("    {ids:?}"));
        prop_assert_eq!(
            ids.len(),
            self.model.answered(),
            "events: {:?}",
            &self.model.fresh
        );
        prop_assert!(
            ids.iter()
                .zip([&self.model.head].into_iter().chain(&ids))
                .all(|(id, before)| id > before),
            "{ids:?}"
        );
        self.model.number(&ids, label);
        Ok(())
    }

    /// The id of the last event, which the witness reads.
    pub(super) async fn newest(&self) -> i64 {
        self.witness.poll("timeout=0").await.next
    }

    /// Polls and compares the page. Returns whether there may be more.
    pub async fn poll(
        &mut self,
        who: usize,
        after: Option<i64>,
        limit: usize,
    ) -> Result<bool, TestCaseError> {
        let query = after.map_or(String::new(), |after| format!("&after={after}"));
        let device = self.device(who);
        let actual = device
            .call(
                Method::GET,
                &format!("/api/v1/messages?timeout=0&limit={limit}{query}"),
            )
            .await;
        self.model.clients[who].begun = true;
        let expected = after.map_or(Ok(()), |after| self.model.acknowledge(who, after));
        let Some((page, ())) = self.both(expected, actual)? else {
            return Ok(false);
        };
        let from = after.unwrap_or(self.model.clients[who].acknowledged);
        let expected: Vec<_> = self
            .model
            .queue(who, from)
            .take(limit)
            .map(|event| message(event, who))
            .collect();
        let next = if expected.len() == limit {
            expected.last().unwrap()["id"].as_i64().unwrap()
        } else {
            self.model.head
        };
        let page: Page = read(page);
        let messages = page.messages;
        let seen = messages
            .iter()
            .map(|message| self.seen(message))
            .collect::<Result<Vec<_>, _>>()?;
        prop_assert_eq!(seen, expected, "client {} past {} by {}", who, from, limit);
        prop_assert_eq!(page.next, next, "client {} past {} by {}", who, from, limit);
        self.hands[who].next = next;
        Ok(messages.len() == limit)
    }

    /// A message without what the model cannot know. Its time must be the same for all readers.
    pub fn seen(&mut self, message: &Message) -> Result<Value, TestCaseError> {
        let mut message = message.clone();
        let first = self
            .times
            .entry(message.id)
            .or_insert_with(|| message.time.clone());
        prop_assert_eq!(&*first, &message.time, "{}", message);
        if message.source == SERVER_NAME && message.command == "NOTICE" {
            message.params.truncate(1);
        }
        let mut message = json!(message);
        message.as_object_mut().unwrap().remove("time");
        Ok(message)
    }

    /// Takes a snapshot. It must equal the model, and also the previous snapshot with the events
    /// since.
    pub async fn snapshot(&mut self, who: usize) -> Check {
        let mut folded = None;
        if let Some((mut view, cursor)) = self.hands[who].view.clone() {
            let page = self.hands[who]
                .device
                .poll(&format!("timeout=0&limit=500&after={cursor}"))
                .await;
            self.model.acknowledge(who, cursor).unwrap();
            page.messages.iter().for_each(|event| view.apply(event));
            folded = Some(view);
        }
        let snapshot = self.hands[who].device.snapshot().await;
        self.model.snapshot(who);
        let view = View::read(&snapshot);
        let client = &self.model.clients[who];
        prop_assert_eq!(
            view.clone().without_times(),
            View::of(&self.model, client.session),
            "client {}",
            who
        );
        let positions = [
            &snapshot["client"]["id"],
            &snapshot["cursor"],
            &snapshot["acknowledged"],
        ];
        prop_assert_eq!(
            positions,
            [client.id, self.model.head, client.acknowledged],
            "client {}",
            who
        );
        if let Some(folded) = folded {
            prop_assert_eq!(
                folded.completed(&view),
                view.clone(),
                "client {}: the events since the last snapshot",
                who
            );
        }
        self.hands[who].view = Some((view, self.model.head));
        Ok(())
    }

    pub async fn restart(&mut self) -> Check {
        self.check_streams().await?;
        self.listeners.clear();
        self.server.restart().await;
        Ok(())
    }
}
