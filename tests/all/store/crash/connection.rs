//! The way to a server that may be gone at any moment and comes back.

use reqwest::{RequestBuilder, header};
use serde_json::Value;
use tokio::sync::watch;

/// What everybody knows of the server.
#[derive(Clone, Default)]
pub struct News {
    /// How often it was started again.
    pub starts: u32,
    /// Nothing new is begun from now on.
    pub over: bool,
}

#[derive(Clone)]
pub struct Connection {
    pub news: watch::Receiver<News>,
    /// How many commands were answered, all in all.
    pub answered: watch::Sender<usize>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The cookie it set, as `name=value`.
    pub cookie: Option<String>,
    pub body: Value,
}

impl Connection {
    /// Asks once. `None`: the answer is lost, whether or not what was asked for was done; the
    /// server is there again.
    pub async fn once(&mut self, request: RequestBuilder) -> Option<Answer> {
        let starts = self.starts();
        if let Ok(response) = request.send().await {
            let status = response.status().as_u16();
            let cookie = response
                .headers()
                .get(header::SET_COOKIE)
                .map(|cookie| cookie.to_str().unwrap());
            let cookie = cookie
                .and_then(|cookie| cookie.split(';').next())
                .map(str::to_owned);
            // The head may have come and the rest be lost.
            if let Ok(body) = response.text().await {
                return Some(Answer {
                    status,
                    cookie,
                    body: serde_json::from_str(&body).unwrap_or_default(),
                });
            }
        }
        self.started_after(starts).await;
        None
    }

    /// Asks until there is an answer.
    pub async fn ask(&mut self, request: impl Fn() -> RequestBuilder) -> Answer {
        loop {
            if let Some(answer) = self.once(request()).await {
                return answer;
            }
        }
    }

    pub fn starts(&self) -> u32 {
        self.news.borrow().starts
    }

    pub async fn started_after(&mut self, starts: u32) {
        self.news
            .wait_for(|news| news.starts > starts)
            .await
            .unwrap();
    }

    pub fn is_over(&self) -> bool {
        self.news.borrow().over
    }

    pub fn count(&self) {
        self.answered.send_modify(|answered| *answered += 1);
    }
}
