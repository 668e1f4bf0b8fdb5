//! `kill -9` under load: what was answered is there, once and in order, and what was repeated happened once.
//!
//! People write and read while the program is killed and started again on the same database and port, some rounds long
//! (`CRASH_ROUNDS`). Whoever got no answer asks again: writers with the same label, readers from where they were.

use std::{collections::HashMap, time::Duration};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use crate::support::{Device, Process, Stream};

const ROUNDS: usize = 6;
/// At the most this many commands are answered between two kills.
const ANSWERS: usize = 200;
const PASSWORD: &str = "correct horse battery";
/// Who is on which channel all the time. `dan` comes to #all and goes.
const ON: [(&str, &[&str]); 2] = [("#all", &["ann", "ben", "cat"]), ("#two", &["ann", "ben"])];

/// What everybody knows of the server.
#[derive(Clone, Default)]
struct News {
    /// How often it was started again.
    starts: u32,
    /// No more is written from now on.
    over: bool,
}

/// Something that was answered, as those who are entitled to it are to receive it.
#[derive(Clone)]
struct Happened {
    id: i64,
    message: Value,
    /// The client that did it, and its label.
    origin: (i64, String),
    to: To,
}

#[derive(Clone)]
enum To {
    Channel(String),
    Nicks([String; 2]),
}

/// A device of somebody's that outlives the server.
struct Person {
    nick: String,
    device: Device,
    client: i64,
    /// Its queue begins after this event.
    start: i64,
    news: watch::Receiver<News>,
}

impl Person {
    async fn new(device: Device, news: &watch::Sender<News>) -> Self {
        let snapshot = device.snapshot().await;
        let nick = snapshot["session"]["nick"].as_str().unwrap().to_owned();
        let (client, start) = (&snapshot["client"]["id"], &snapshot["cursor"]);
        let (client, start) = (client.as_i64().unwrap(), start.as_i64().unwrap());
        Self { nick, device, client, start, news: news.subscribe() }
    }

    /// Asks until there is an answer, which is to be yes.
    async fn ask(&mut self, request: impl Fn(&Device) -> RequestBuilder) -> Value {
        loop {
            let starts = self.news.borrow().starts;
            if let Ok(response) = request(&self.device).send().await {
                let status = response.status();
                // The head may have come and the rest be lost.
                if let Ok(body) = response.text().await {
                    assert_eq!(status, 200, "{}: {body}", self.nick);
                    return serde_json::from_str(&body).unwrap();
                }
            }
            self.started_after(starts).await;
        }
    }

    async fn started_after(&mut self, starts: u32) {
        self.news.wait_for(|news| news.starts > starts).await.unwrap();
    }

    async fn send(&mut self, command: &str, params: &[&str], label: &str) -> (Value, Vec<Happened>) {
        let body = json!({"command": command, "params": params, "label": label});
        let answer = self.ask(|device| device.request(Method::POST, "/api/v1/messages").json(&body)).await;
        let ids: Vec<_> = answer["ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        let targets: Vec<_> = params[0].split(',').collect();
        assert_eq!(ids.len(), targets.len(), "{command} {params:?}: {answer}");
        let happened = ids.iter().zip(targets).map(|(id, target)| {
            let params: Vec<_> = [target].into_iter().chain(params[1..].iter().copied()).collect();
            let message = json!({"id": id, "source": self.nick, "command": command, "params": params});
            let to = match target.starts_with('#') {
                true => To::Channel(target.to_owned()),
                false => To::Nicks([self.nick.clone(), target.to_owned()]),
            };
            Happened { id: *id, message, origin: (self.client, label.to_owned()), to }
        });
        (answer.clone(), happened.collect())
    }

    /// Does one thing after the other until it is over, each until it is answered; what was answered before a kill is
    /// answered the same after it.
    async fn write(mut self, what: &'static [(&str, &str)], answered: watch::Sender<usize>) -> (Self, Vec<Happened>) {
        let mut all = Vec::new();
        for n in 0.. {
            let (command, target) = what[n % what.len()];
            let (text, label) = (format!("{} {n}", self.nick), format!("label {n}"));
            let params = if command == "JOIN" { vec![target] } else { vec![target, &text] };
            let starts = self.news.borrow().starts;
            let (answer, happened) = self.send(command, &params, &label).await;
            answered.send_modify(|answered| *answered += 1);
            all.extend(happened);
            if self.news.borrow().starts > starts {
                let (again, _) = self.send(command, &params, &label).await;
                assert_eq!(again, answer, "{} repeated {label}", self.nick);
            }
            // Whoever comes and goes is gone at the end.
            if self.news.borrow().over && (n + 1) % what.len() == 0 {
                break;
            }
        }
        (self, all)
    }

    /// Reads by polls that are held, each from where the one before ended.
    async fn poll(mut self) -> (Self, Vec<Value>) {
        let (mut after, mut all) = (self.start, Vec::<Value>::new());
        while !all.last().is_some_and(is_last) {
            let limit = rand::random_range(1..40);
            let path = format!("/api/v1/messages?after={after}&limit={limit}&timeout=5");
            let page = self.ask(|device| device.request(Method::GET, &path)).await;
            all.extend(page["messages"].as_array().unwrap().iter().cloned());
            after = page["next"].as_i64().unwrap();
        }
        (self, all)
    }

    /// Reads by a stream, and by another from where it broke.
    async fn follow(mut self) -> (Self, Vec<Value>) {
        let (mut after, mut all) = (self.start, Vec::<Value>::new());
        loop {
            let starts = self.news.borrow().starts;
            let request = self.device.request(Method::GET, &format!("/api/v1/events?after={after}"));
            if let Ok(response) = request.send().await {
                let mut stream = Stream::of(response);
                while let Some(message) = stream.message().await {
                    after = message["id"].as_i64().unwrap();
                    all.push(message);
                    if all.last().is_some_and(is_last) {
                        return (self, all);
                    }
                }
            }
            self.started_after(starts).await;
        }
    }

    /// What it is entitled to of what happened; `stays` are dan's on #all, by the ids of JOIN and PART.
    fn entitled(&self, happened: &[Happened], stays: &[(i64, i64)]) -> Vec<Value> {
        let on = |channel: &str, id: i64| match self.nick.as_str() {
            "dan" => channel == "#all" && stays.iter().any(|(join, part)| (*join..=*part).contains(&id)),
            nick => ON.iter().any(|(name, nicks)| *name == channel && nicks.contains(&nick)),
        };
        let hears = |happened: &&Happened| match &happened.to {
            To::Channel(name) => on(name, happened.id),
            To::Nicks(nicks) => nicks.contains(&self.nick),
        };
        let shown = |happened: &Happened| {
            let mut message = happened.message.clone();
            if happened.origin.0 == self.client {
                message["label"] = json!(happened.origin.1);
            }
            message
        };
        happened.iter().filter(|happened| happened.id > self.start).filter(hears).map(shown).collect()
    }
}

/// A free port that the system gives to nobody else while the program is down: not one of those it picks from.
fn address() -> String {
    let picked = std::iter::repeat_with(|| format!("127.0.0.1:{}", rand::random_range(20_000..30_000)));
    { picked }.find(|address| std::net::TcpListener::bind(address).is_ok()).unwrap()
}

/// After everything else each is told something by somebody who has said nothing before.
fn is_last(message: &Value) -> bool {
    message["source"] == "zoe"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_under_load_loses_doubles_and_reorders_nothing() {
    let rounds = std::env::var("CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let limit = Duration::from_secs(40 + 5 * rounds as u64);
    tokio::time::timeout(limit, run(rounds)).await.expect("somebody waits for what does not come");
}

async fn run(rounds: usize) {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    let address = address();
    let mut process = Process::listening(&database, &address, &[]);
    let news = watch::Sender::new(News::default());

    let mut first = HashMap::new();
    for nick in ["ann", "ben", "cat", "dan"] {
        let device = process.pick(nick).await;
        device.send(&format!("PASS :{PASSWORD}")).await;
        first.insert(nick, device);
    }
    for (channel, nicks) in ON {
        for nick in nicks {
            first[nick].send(&format!("JOIN {channel}")).await;
        }
    }
    let mut readers = JoinSet::new();
    for (nick, streams) in [("ann", true), ("ann", false), ("ben", true), ("cat", false), ("dan", true), ("dan", false)]
    {
        let reader = Person::new(process.device().login(nick, PASSWORD).await.unwrap(), &news).await;
        match streams {
            true => readers.spawn(reader.follow()),
            false => readers.spawn(reader.poll()),
        };
    }
    let mut last = Person::new(process.pick("zoe").await, &news).await;
    let answered = watch::Sender::new(0);
    let mut writers = JoinSet::new();
    for (nick, what) in [
        ("ann", &[("PRIVMSG", "#all"), ("PRIVMSG", "#two"), ("PRIVMSG", "#all,cat")][..]),
        ("ben", &[("NOTICE", "#two,#all"), ("PRIVMSG", "dan"), ("PRIVMSG", "#all")]),
        ("cat", &[("PRIVMSG", "#all"), ("PRIVMSG", "cat"), ("NOTICE", "dan,ann")]),
        ("dan", &[("JOIN", "#all"), ("PRIVMSG", "#all"), ("PART", "#all"), ("PRIVMSG", "ben")]),
    ] {
        let writer = Person::new(first.remove(nick).unwrap(), &news).await;
        writers.spawn(writer.write(what, answered.clone()));
    }

    let mut answers = answered.subscribe();
    for _ in 0..rounds {
        // None at all is a kill right after the start.
        let enough = *answers.borrow() + rand::random_range(0..ANSWERS);
        tokio::select! {
            answered = answers.wait_for(|answered| *answered >= enough) => drop(answered.unwrap()),
            // Nobody is done before it is over.
            failed = writers.join_next() => panic!("{:?}", failed.and_then(Result::err)),
            failed = readers.join_next() => panic!("{:?}", failed.and_then(Result::err)),
        }
        process.kill();
        process = Process::listening(&database, &address, &[]);
        news.send_modify(|news| news.starts += 1);
    }
    news.send_modify(|news| news.over = true);

    let (mut happened, mut quiet) = (Vec::new(), Vec::new());
    for (writer, own) in writers.join_all().await {
        assert!(own.is_sorted_by(|one, next| one.id < next.id), "{}'s ids do not rise", writer.nick);
        happened.extend(own);
        quiet.push(writer);
    }
    for nick in ["ann", "ben", "cat", "dan"] {
        let (_, sent) = last.send("PRIVMSG", &[nick, "the end"], &format!("last for {nick}")).await;
        happened.extend(sent);
    }
    happened.sort_by_key(|happened| happened.id);
    assert!(happened.is_sorted_by(|one, next| one.id < next.id), "an id was given twice");
    println!("{} events, killed {rounds} times", happened.len());

    let of_dan = |command: &str| {
        let own = happened.iter().filter(|happened| happened.message["source"] == "dan");
        own.filter(|happened| happened.message["command"] == command).map(|happened| happened.id).collect::<Vec<_>>()
    };
    let stays: Vec<_> = of_dan("JOIN").into_iter().zip(of_dan("PART")).collect();
    let mut read = readers.join_all().await;
    // Those that only wrote read their queues now, and see their labels.
    for writer in quiet {
        read.push(writer.poll().await);
    }
    for (reader, mut messages) in read {
        messages.iter_mut().for_each(|message| drop(message.as_object_mut().unwrap().remove("time")));
        let entitled = reader.entitled(&happened, &stays);
        let id = |message: Option<&Value>| message.map(|message| message["id"].clone());
        let differ = (0..entitled.len().max(messages.len())).find(|n| entitled.get(*n) != messages.get(*n));
        if let Some(n) = differ {
            let before = id(n.checked_sub(1).and_then(|n| messages.get(n)));
            let (nick, client) = (&reader.nick, reader.client);
            let (due, got) = (entitled.get(n), messages.get(n));
            panic!("client {client} of {nick}, after {before:?}: due {due:?}, received {got:?}");
        }
    }

    process.kill();
    // Only now: to open it would do what the server has to do by itself after a kill.
    let database = rusqlite::Connection::open(&database).unwrap();
    let ask = |pragma: &str| database.query_row(pragma, [], |row| row.get::<_, String>(0));
    assert_eq!(ask("PRAGMA integrity_check").unwrap(), "ok");
    assert_eq!(ask("PRAGMA foreign_key_check"), Err(rusqlite::Error::QueryReturnedNoRows));
}
