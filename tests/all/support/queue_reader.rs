//! One interface to the three ways to read a queue.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, header};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Error, Message as Frame, client::IntoClientRequest, protocol::CloseFrame},
};

use super::{
    Device, Stream, TEST_TIMEOUT,
    message::{Message, Page, read},
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DeliveryMode {
    Poll,
    Stream,
    Socket,
}

/// A reader of a device's queue.
pub struct Reader {
    device: Device,
    source: Source,
}

enum Source {
    Poll {
        after: Option<i64>,
        page: VecDeque<Message>,
    },
    Stream(Stream),
    Socket(Socket),
}

/// The reason why no further events come: the client has ended, with this reason, or the connection
/// has.
#[derive(Debug, PartialEq)]
pub enum QueueEnd {
    ClientEnded(String),
    Disconnected,
}

impl Reader {
    /// Reads from `after` on, or from the acknowledged event.
    pub async fn open(device: &Device, way: DeliveryMode, after: Option<i64>) -> Self {
        let query = after.map_or(String::new(), |after| format!("after={after}"));
        let source = match way {
            DeliveryMode::Poll => Source::Poll {
                after,
                page: VecDeque::new(),
            },
            DeliveryMode::Stream => Source::Stream(device.stream(&query).await),
            DeliveryMode::Socket => Source::Socket(Socket::open(device, &query).await),
        };
        Self {
            device: device.clone(),
            source,
        }
    }

    /// Reads until the end. Returns its reason.
    pub async fn ended(&mut self) -> QueueEnd {
        let over = async {
            loop {
                if let Err(over) = self.next().await {
                    return over;
                }
            }
        };
        tokio::time::timeout(TEST_TIMEOUT, over)
            .await
            .expect("the queue does not end")
    }

    pub async fn next(&mut self) -> Result<Message, QueueEnd> {
        match &mut self.source {
            Source::Poll { after, page } => {
                while page.is_empty() {
                    let query = after.map_or(String::new(), |after| format!("&after={after}"));
                    // Pages have two events, so that every test needs several pages.
                    let path = format!("/api/v1/messages?timeout=60&limit=2{query}");
                    let Ok(response) = self.device.request(Method::GET, &path).send().await else {
                        return Err(QueueEnd::Disconnected);
                    };
                    match super::checked(response).await {
                        Ok(answer) => {
                            let answer: Page = read(answer);
                            page.extend(answer.messages);
                            *after = Some(answer.next);
                            // A server that stops answers a held poll with an empty page.
                            if page.is_empty() {
                                return Err(QueueEnd::Disconnected);
                            }
                        }
                        Err(problem) => {
                            return Err(QueueEnd::ClientEnded(
                                problem.body["reason"].as_str().unwrap().to_owned(),
                            ));
                        }
                    }
                }
                Ok(page.pop_front().unwrap())
            }
            Source::Stream(stream) => {
                let data = stream.data().await.ok_or(QueueEnd::Disconnected)?;
                match data["reason"].as_str() {
                    Some(reason) => Err(QueueEnd::ClientEnded(reason.to_owned())),
                    None => Ok(read(data)),
                }
            }
            Source::Socket(socket) => socket.message().await,
        }
    }

    /// The next message of this command.
    pub async fn next_of(&mut self, command: &str) -> Message {
        loop {
            let message = self.next().await.unwrap();
            if message.command == command {
                return message;
            }
        }
    }
}

/// A WebSocket to the server.
pub struct Socket {
    frames: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub async fn open(device: &Device, query: &str) -> Self {
        Self::try_open(device, query, &[]).await.unwrap()
    }

    /// Opens a socket with further headers. Returns the status of a refusal.
    pub async fn try_open(
        device: &Device,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let url = format!(
            "{}/api/v1/socket?{query}",
            device.base.replacen("http", "ws", 1)
        );
        let mut request = url.into_client_request().unwrap();
        if let Some(cookie) = &device.cookie {
            request
                .headers_mut()
                .insert(header::COOKIE, cookie.parse().unwrap());
        }
        if let Some(token) = &device.token {
            request.headers_mut().insert(
                header::AUTHORIZATION,
                format!("Bearer {token}").parse().unwrap(),
            );
        }
        if let Some(identity) = &device.identity {
            request
                .headers_mut()
                .insert("rejoin-identity", identity.parse().unwrap());
        }
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((frames, _)) => Ok(Self { frames }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn send(&mut self, message: Value) {
        self.send_frame(Frame::text(message.to_string())).await;
    }

    /// Sends all messages at once.
    pub async fn send_all(&mut self, messages: impl IntoIterator<Item = Value>) {
        self.feed_all(messages).await;
        self.frames.flush().await.unwrap();
    }

    async fn feed_all(&mut self, messages: impl IntoIterator<Item = Value>) {
        for message in messages {
            self.frames
                .feed(Frame::text(message.to_string()))
                .await
                .unwrap();
        }
    }

    /// Sends all messages and a close frame, and waits for no answer.
    pub async fn send_and_close(&mut self, messages: impl IntoIterator<Item = Value>) {
        self.feed_all(messages).await;
        self.send_frame(Frame::Close(None)).await;
    }

    /// Reads until the server pings.
    pub async fn pinged(&mut self) {
        while !matches!(self.frames.next().await.unwrap().unwrap(), Frame::Ping(_)) {}
    }

    pub async fn send_frame(&mut self, frame: Frame) {
        self.frames.send(frame).await.unwrap();
    }

    /// The next text frame, or the close frame.
    pub async fn frame(&mut self) -> Result<Value, Option<CloseFrame>> {
        loop {
            match self.frames.next().await {
                Some(Ok(Frame::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Frame::Close(close))) => return Err(close),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The next message of the queue. Answers to commands are skipped.
    pub async fn message(&mut self) -> Result<Message, QueueEnd> {
        loop {
            match self.frame().await {
                Ok(frame) if frame.get("command").is_some() => return Ok(read(frame)),
                Ok(_) => {}
                Err(Some(close)) if u16::from(close.code) == 4401 => {
                    return Err(QueueEnd::ClientEnded(close.reason.to_string()));
                }
                Err(_) => return Err(QueueEnd::Disconnected),
            }
        }
    }

    /// The next answer to a command. Messages are skipped.
    pub async fn answer(&mut self) -> Value {
        loop {
            let frame = self.frame().await.unwrap();
            if !frame["command"].is_string() {
                return frame;
            }
        }
    }

    /// The code and reason of the close frame. Everything before it is skipped.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(close) = self.frame().await {
                let close = close.expect("the server sent a close frame");
                return (close.code.into(), close.reason.to_string());
            }
        }
    }
}
