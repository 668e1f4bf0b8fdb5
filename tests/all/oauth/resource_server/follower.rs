//! A resource server, as its authors would write it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rejoin::secret::sha256;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{App, Device, Stream, until};

/// Well before the next heartbeat, so that only the report of an end can wake the reader.
pub const SOON: Duration = Duration::from_secs(10);

/// It introspects tokens, caches the answers while it is connected, and drops them when their end
/// is reported.
pub struct ResourceServer {
    app: App,
    /// Its clock, in seconds since the epoch.
    pub now: i64,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The answers by the tokens' hashes. `None` while it is disconnected.
    cache: Option<HashMap<[u8; 32], Value>>,
    /// Grants that have ended. Ids of grants are never reused.
    ended: HashSet<i64>,
    position: Option<i64>,
    told: Vec<(i64, String)>,
    asked: usize,
}

impl ResourceServer {
    pub fn new(app: App, now: i64) -> Self {
        Self {
            app,
            now,
            state: Arc::default(),
        }
    }

    /// Whether a token is valid.
    pub async fn accepts(&self, token: &str) -> bool {
        let hash = sha256(token.as_bytes());
        let known = self
            .state()
            .cache
            .as_ref()
            .and_then(|cache| cache.get(&hash))
            .cloned();
        if let Some(known) = known {
            return known["exp"].as_i64().unwrap() > self.now;
        }
        let (status, told) = self.app.ask("/auth/introspect", &[("token", token)]).await;
        assert_eq!(status, 200);
        let mut state = self.state();
        state.asked += 1;
        // If the token ended during the introspection, its end was reported before the cache held
        // it. A refresh token is active too, but authorizes no request.
        let good = told["token_type"] == "Bearer"
            && !state.ended.contains(&told["grant_id"].as_i64().unwrap());
        if let Some(cache) = state.cache.as_mut().filter(|_| good) {
            cache.insert(hash, told);
        }
        good
    }

    /// Follows the ends of grants from the last position. Returns once it has received all ends so
    /// far.
    pub async fn connect(&self) {
        let after = self
            .state()
            .position
            .map_or(String::new(), |position| format!("after={position}"));
        let mut events = Events::follow(&self.app, &after).await;
        let state = self.state.clone();
        tokio::spawn(async move {
            while let Some((event, id, data)) = events.try_next().await {
                state.lock().unwrap().take(&event, id, &data);
            }
            state.lock().unwrap().cache = None;
        });
        until("all ends so far to be received", async || {
            self.known().is_some()
        })
        .await;
    }

    /// Waits until it notices that it is disconnected.
    pub async fn cut_off(&self) {
        until("the disconnect to be noticed", async || {
            self.known().is_none()
        })
        .await;
    }

    /// The number of cached tokens. `None` while it is disconnected.
    pub fn known(&self) -> Option<usize> {
        self.state().cache.as_ref().map(HashMap::len)
    }

    /// The number of introspections.
    pub fn asked(&self) -> usize {
        self.state().asked
    }

    /// The reported ends: the grants and the reasons.
    pub fn told(&self) -> Vec<(i64, String)> {
        self.state().told.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn take(&mut self, event: &str, id: Option<i64>, data: &Value) {
        self.position = id.or(self.position);
        match event {
            "current" => self.cache = Some(self.cache.take().unwrap_or_default()),
            "reset" => self.cache = None,
            "grant_ended" => {
                let grant = data["grant_id"].as_i64().unwrap();
                self.ended.insert(grant);
                self.told
                    .push((grant, data["reason"].as_str().unwrap().to_owned()));
                self.cache
                    .iter_mut()
                    .for_each(|cache| cache.retain(|_, known| known["grant_id"] != grant));
            }
            _ => {}
        }
    }
}

/// The stream of the ends of grants.
pub struct Events(Stream);

/// The request that opens the stream.
pub fn request(app: &App, query: &str) -> RequestBuilder {
    let request = app
        .program
        .request(Method::GET, &format!("/auth/grants/events?{query}"));
    request.basic_auth(&app.client_id, Some(&app.secret))
}

impl Events {
    /// Follows with an app's credentials.
    pub async fn follow(app: &App, query: &str) -> Self {
        Self(Stream::of(request(app, query).send().await.unwrap()))
    }

    /// Follows with an access token.
    pub async fn follow_with(program: &Device, query: &str) -> Self {
        let request = program.request(Method::GET, &format!("/auth/grants/events?{query}"));
        Self(Stream::of(request.send().await.unwrap()))
    }

    /// The next event that is not a heartbeat: its name, its position and its data.
    pub async fn next(&mut self) -> (String, Option<i64>, Value) {
        timeout(SOON, self.try_next())
            .await
            .expect("it comes soon")
            .expect("the stream goes on")
    }

    pub async fn try_next(&mut self) -> Option<(String, Option<i64>, Value)> {
        loop {
            let frame = self.0.frame().await?;
            let field = |name: &str| {
                frame
                    .iter()
                    .find(|(field, _)| field == name)
                    .map(|(_, value)| value.as_str())
            };
            if let (Some(event), Some(data)) = (field("event"), field("data")) {
                let id = field("id").map(|id| id.parse().unwrap());
                return Some((event.to_owned(), id, serde_json::from_str(data).unwrap()));
            }
        }
    }

    pub async fn is_over(&mut self) -> bool {
        self.0.frame().await.is_none()
    }
}
