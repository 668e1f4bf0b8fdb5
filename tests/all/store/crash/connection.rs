//! The connection to a server that may be killed at any moment and comes back.

use reqwest::{RequestBuilder, header};
use serde_json::Value;
use tokio::sync::watch;

/// What all participants know about the server.
#[derive(Clone, Default)]
pub struct News {
    /// The number of restarts.
    pub starts: u32,
    /// No participant begins anything new once this is set.
    pub over: bool,
}

#[derive(Clone)]
pub struct Connection {
    pub news: watch::Receiver<News>,
    /// The number of commands answered so far, of all participants.
    pub answered: watch::Sender<usize>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The cookie that the answer sets, as `name=value`.
    pub cookie: Option<String>,
    pub body: Value,
}

impl Connection {
    /// Sends a request once. `None` means that the answer is lost. The request may have taken
    /// effect or not, and the server is running again.
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
            // The server may be killed after the head of its answer and before the body.
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

    /// Sends a request until it gets an answer.
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
