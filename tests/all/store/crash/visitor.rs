//! Guests create sessions, log in more devices, and leave with each of them. A request without an
//! answer took effect either wholly or not at all, and the guest finds out which.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{
    PASSWORD,
    connection::{Answer, Connection},
    ledger::{Happened, Reading},
    user::User,
};
use crate::support::{Device, JsonAnswer};

pub struct Visitor {
    nick: String,
    visitor: Device,
    line: Connection,
    done: Done,
}

/// The record of what a guest did.
#[derive(Default)]
pub struct Done {
    pub happened: Vec<Happened>,
    pub readings: Vec<Reading>,
    /// The QUITs that others must see, in order: the nick and the reason.
    pub quits: Vec<(String, &'static str)>,
    pub logins: usize,
    /// The devices that left, and the reason that each gets for every later request.
    pub left: Vec<(Device, &'static str)>,
    /// The nicks of sessions whose cookie was lost with the answer. They stay live and keep their
    /// nick.
    pub lost: Vec<String>,
    /// The number of requests that took effect although their answer was lost.
    pub unanswered: usize,
}

impl Visitor {
    pub fn new(nick: &str, visitor: Device, line: Connection) -> Self {
        Self {
            nick: nick.to_owned(),
            visitor,
            line,
            done: Done::default(),
        }
    }

    /// Visits again and again until the end. Every session of the guest has left by then.
    pub async fn visit(mut self) -> Done {
        loop {
            self.come_and_go().await;
            if self.line.is_over() {
                return self.done;
            }
        }
    }

    async fn come_and_go(&mut self) {
        let mut laptop = User::new(self.enter().await, self.line.clone()).await;
        self.done
            .happened
            .extend(laptop.send("JOIN", &["#all"], "join").await.1);
        // Most visits have no second device. Hashing a password takes so long that otherwise few
        // guests would be entering or leaving at a kill.
        if rand::random_ratio(1, 3) {
            self.come_and_go_with_a_phone(&mut laptop).await;
        }
        let way = DeliveryMode::any(DeliveryMode::AS_THE_LAST);
        self.leave(&laptop, way, &laptop).await;
        self.done.quits.push((laptop.nick, way.reason().1));
    }

    async fn come_and_go_with_a_phone(&mut self, laptop: &mut User) {
        laptop.send("PASS", &[PASSWORD], "pass").await;
        let before = laptop.get("/api/v1/session").await;
        let mut phone = self.log_in(laptop).await;
        let (_, said) = laptop
            .send("PRIVMSG", &["#all", "both of us are here"], "said")
            .await;
        self.done
            .readings
            .push(phone.poll(|message| message.id == said[0].id).await);
        self.done.happened.extend(said);
        self.leave(
            &phone,
            DeliveryMode::any(DeliveryMode::BESIDE_ANOTHER),
            laptop,
        )
        .await;
        let after = laptop.get("/api/v1/session").await;
        assert_eq!(
            (&before["session"], &before["client"]["id"]),
            (&after["session"], &after["client"]["id"])
        );
        assert_eq!(after["channels"][0]["name"], "#all", "the session goes on");
        assert_eq!(clients(laptop).await, [laptop.client]);
    }

    /// Creates a session. The nick must be free, unless an earlier session of the same guest holds
    /// it and its cookie is lost.
    async fn enter(&mut self) -> Device {
        let mut lost = false;
        loop {
            let request = self
                .visitor
                .request(Method::POST, "/api/v1/session")
                .json(&json!({"nick": self.nick}));
            match self.line.once(request).await {
                Some(answer) if answer.status == 201 => {
                    return self.visitor.with_cookie(&answer.cookie.unwrap());
                }
                Some(answer) => {
                    assert!(
                        lost && answer.body["code"] == "nickname_in_use",
                        "{}: {answer:?}",
                        self.nick
                    );
                    self.done.lost.push(self.nick.clone());
                    self.done.unanswered += 1;
                    self.nick.push('_');
                    lost = false;
                }
                None => lost = true,
            }
        }
    }

    /// Logs in one more device. The first device sees and removes the devices whose cookies were
    /// lost.
    async fn log_in(&mut self, laptop: &mut User) -> User {
        let mut lost = 0;
        let phone = loop {
            let login = json!({"nick": self.nick, "password": PASSWORD});
            match self
                .line
                .once(
                    self.visitor
                        .request(Method::POST, "/api/v1/login")
                        .json(&login),
                )
                .await
            {
                Some(answer) => {
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    break self.visitor.with_cookie(&answer.cookie.unwrap());
                }
                None => lost += 1,
            }
        };
        self.line.count();
        self.done.logins += 1;
        let phone = User::new(phone, self.line.clone()).await;
        assert_eq!(phone.nick, laptop.nick);
        let mut strangers = clients(laptop).await;
        strangers.retain(|client| ![laptop.client, phone.client].contains(client));
        assert!(
            strangers.len() <= lost,
            "{lost} logins were not answered, and there are {strangers:?}"
        );
        self.done.unanswered += strangers.len();
        for stranger in strangers {
            let path = format!("/api/v1/clients/{stranger}");
            self.settle(|| laptop.device.request(Method::DELETE, &path))
                .await;
        }
        phone
    }

    /// Ends a device, and asserts that it gets the reason from then on.
    async fn leave(&mut self, who: &User, way: DeliveryMode, by: &User) {
        self.settle(|| way.request(who, by)).await;
        let (reason, _) = way.reason();
        assert_left(&mut self.line, &who.device, reason).await;
        self.line.count();
        self.done.left.push((who.device.clone(), reason));
    }

    /// Sends a request that can take effect only once, until it has. A refusal after a lost answer
    /// means that an earlier attempt took effect.
    async fn settle(&mut self, request: impl Fn() -> RequestBuilder) {
        let mut lost = false;
        loop {
            match self.line.once(request()).await {
                Some(answer) if answer.status < 300 => return,
                Some(answer) => {
                    assert!(lost && [401, 404].contains(&answer.status), "{answer:?}");
                    self.done.unanswered += 1;
                    return;
                }
                None => lost = true,
            }
        }
    }
}

pub async fn assert_left(line: &mut Connection, device: &Device, reason: &str) {
    let answer = line
        .ask(|| device.request(Method::GET, "/api/v1/session"))
        .await;
    let Answer { status, body, .. } = &answer;
    assert_eq!(
        (*status, &body["code"], &body["reason"]),
        (401, &json!("client_ended"), &json!(reason))
    );
}

async fn clients(person: &mut User) -> Vec<i64> {
    let clients = person.get("/api/v1/clients").await;
    clients
        .items()
        .iter()
        .map(|client| client["id"].as_i64().unwrap())
        .collect()
}

/// The ways to end a device.
#[derive(Clone, Copy)]
enum DeliveryMode {
    Quit,
    LogOut,
    Removed,
    AllOthersRemoved,
    SessionEnded,
}

impl DeliveryMode {
    const BESIDE_ANOTHER: [Self; 4] = [
        Self::Quit,
        Self::LogOut,
        Self::Removed,
        Self::AllOthersRemoved,
    ];
    const AS_THE_LAST: [Self; 4] = [Self::Quit, Self::LogOut, Self::Removed, Self::SessionEnded];

    fn any(ways: [Self; 4]) -> Self {
        ways[rand::random_range(0..4)]
    }

    /// The request that ends a device, sent by that device or by another one.
    fn request(self, who: &User, by: &User) -> RequestBuilder {
        match self {
            Self::Quit => who
                .device
                .request(Method::POST, "/api/v1/messages")
                .json(&json!({"command": "QUIT"})),
            Self::LogOut => who.device.request(Method::POST, "/api/v1/logout"),
            Self::Removed => by
                .device
                .request(Method::DELETE, &format!("/api/v1/clients/{}", who.client)),
            Self::AllOthersRemoved => by.device.request(Method::DELETE, "/api/v1/clients"),
            Self::SessionEnded => by.device.request(Method::DELETE, "/api/v1/session"),
        }
    }

    /// The reason that the ended device gets, and the reason in the QUIT of its session.
    fn reason(self) -> (&'static str, &'static str) {
        match self {
            Self::Quit => ("quit", "quit"),
            Self::LogOut => ("logged_out", "logged out"),
            Self::Removed | Self::AllOthersRemoved => {
                ("removed", "removed by another client of the session")
            }
            Self::SessionEnded => ("session_ended", "the session was ended"),
        }
    }
}
