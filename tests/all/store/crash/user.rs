//! Users who write and read. A user who gets no answer asks again: a writer with the same label, a
//! reader from its last position.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{
    connection::Connection,
    ledger::{Happened, Reading, To},
};
use crate::support::{Device, JsonAnswer, Message, Page, Stream, read};

/// A device that outlives the server's restarts.
pub struct User {
    pub nick: String,
    pub client: i64,
    pub device: Device,
    /// The event after which the device's queue begins.
    start: i64,
    line: Connection,
}

impl User {
    pub async fn new(device: Device, mut line: Connection) -> Self {
        let snapshot = line
            .ask(|| device.request(Method::GET, "/api/v1/session"))
            .await
            .body;
        let nick = snapshot["session"]["nick"].as_str().unwrap().to_owned();
        let (client, start) = (&snapshot["client"]["id"], &snapshot["cursor"]);
        let (client, start) = (client.as_i64().unwrap(), start.as_i64().unwrap());
        Self {
            nick,
            client,
            device,
            start,
            line,
        }
    }

    /// Sends a request until it gets an answer. Asserts that the answer is a success.
    pub async fn ask(&mut self, request: impl Fn(&Device) -> RequestBuilder) -> Value {
        let answer = self.line.ask(|| request(&self.device)).await;
        assert_eq!(answer.status, 200, "{}: {}", self.nick, answer.body);
        answer.body
    }

    pub async fn get(&mut self, path: &str) -> Value {
        self.ask(|device| device.request(Method::GET, path)).await
    }

    pub async fn send(
        &mut self,
        command: &str,
        params: &[&str],
        label: &str,
    ) -> (Value, Vec<Happened>) {
        let body = json!({"command": command, "params": params, "label": label});
        let answer = self
            .ask(|device| device.request(Method::POST, "/api/v1/messages").json(&body))
            .await;
        self.line.count();
        let ids: Vec<_> = answer.ids().iter().map(|id| id.as_i64().unwrap()).collect();
        let targets: Vec<_> = params[0].split(',').collect();
        assert_eq!(ids.len(), targets.len(), "{command} {params:?}: {answer}");
        let happened = ids.iter().zip(targets).map(|(id, target)| {
            let params: Vec<_> = [target]
                .into_iter()
                .chain(params[1..].iter().copied())
                .collect();
            let message = Message {
                id: *id,
                time: String::new(),
                source: self.nick.clone(),
                command: command.to_owned(),
                params: params.into_iter().map(str::to_owned).collect(),
                label: None,
                app: None,
            };
            let to = match target.starts_with('#') {
                true => To::Channel(target.to_owned()),
                false => To::Nicks([self.nick.clone(), target.to_owned()]),
            };
            Happened {
                id: *id,
                message,
                origin: Some((self.client, label.to_owned())),
                to,
            }
        });
        (answer.clone(), happened.collect())
    }

    /// Sends one command after another until the end, each until it is answered. After a kill,
    /// repeats the command and asserts that the answer is the same.
    pub async fn write(mut self, what: &'static [(&str, &str)]) -> (Self, Vec<Happened>) {
        let mut all = Vec::<Happened>::new();
        for n in 0.. {
            let (command, target) = what[n % what.len()];
            let (text, label) = (format!("{} {n}", self.nick), format!("label {n}"));
            let params = if command == "JOIN" {
                vec![target]
            } else {
                vec![target, &text]
            };
            let starts = self.line.starts();
            let (answer, happened) = self.send(command, &params, &label).await;
            all.extend(happened);
            if self.line.starts() > starts {
                let (again, _) = self.send(command, &params, &label).await;
                assert_eq!(again, answer, "{} repeated {label}", self.nick);
            }
            // The list is finished first, so that a user who joins a channel has left it at the
            // end.
            if self.line.is_over() && (n + 1) % what.len() == 0 {
                break;
            }
        }
        assert!(
            all.is_sorted_by(|one, next| one.id < next.id),
            "{}'s ids do not increase",
            self.nick
        );
        (self, all)
    }

    /// Reads by held polls, each from the end of the one before, until the last message has come.
    pub async fn poll(&mut self, is_last: impl Fn(&Message) -> bool) -> Reading {
        let (mut after, mut reading) = (self.start, self.reading());
        while !reading.messages.iter().any(&is_last) {
            let limit = rand::random_range(1..40);
            let page = self
                .get(&format!(
                    "/api/v1/messages?after={after}&limit={limit}&timeout=5"
                ))
                .await;
            let page: Page = read(page);
            page.messages
                .into_iter()
                .for_each(|message| reading.push(message));
            after = page.next;
        }
        reading
    }

    /// Reads by a stream until the last message has come. When the stream breaks, another one
    /// continues from there.
    pub async fn follow(&mut self, is_last: impl Fn(&Message) -> bool) -> Reading {
        let (mut after, mut reading) = (self.start, self.reading());
        loop {
            let starts = self.line.starts();
            let request = self
                .device
                .request(Method::GET, &format!("/api/v1/events?after={after}"));
            if let Ok(response) = request.send().await {
                let mut stream = Stream::of(response);
                while let Some(message) = stream.message().await {
                    after = message.id;
                    reading.push(message);
                    if reading.messages.last().is_some_and(&is_last) {
                        return reading;
                    }
                }
            }
            self.line.started_after(starts).await;
        }
    }

    fn reading(&self) -> Reading {
        Reading {
            nick: self.nick.clone(),
            client: self.client,
            start: self.start,
            messages: Vec::new(),
        }
    }
}
