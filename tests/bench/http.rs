//! A minimal HTTP/1.1 client: requests that were rendered before, and answers with a
//! Content-Length.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

pub struct Answer<'a> {
    pub status: u16,
    pub head: &'a str,
    pub body: &'a [u8],
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::with_capacity(16 * 1024),
        }
    }

    /// Sends one request and reads its answer.
    pub async fn ask(&mut self, request: &[u8]) -> Answer<'_> {
        self.stream.write_all(request).await.unwrap();
        self.read.clear();
        let (head, length) = loop {
            let count = self.stream.read_buf(&mut self.read).await.unwrap();
            assert!(count > 0, "the server closed the connection");
            if let Some(end) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                break (end + 4, length(&self.read[..end]));
            }
        };
        while self.read.len() < head + length {
            assert!(
                self.stream.read_buf(&mut self.read).await.unwrap() > 0,
                "the answer broke off"
            );
        }
        let (head, body) = self.read.split_at(head);
        let head = std::str::from_utf8(head).unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body,
        }
    }
}

fn length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).unwrap();
    let field = head
        .lines()
        .find(|line| line.len() > 15 && line[..15].eq_ignore_ascii_case("content-length:"));
    field.map_or(0, |field| field[15..].trim().parse().unwrap())
}

impl Answer<'_> {
    /// The cookie that it sets, as the client sends it back.
    pub fn cookie(&self) -> String {
        let line = self
            .head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"))
            .unwrap();
        line[11..].split(';').next().unwrap().trim().to_owned()
    }
}

/// A request with a JSON body, or without one.
pub fn request(method: &str, path: &str, address: SocketAddr, cookie: &str, body: &str) -> Vec<u8> {
    let cookie = if cookie.is_empty() {
        String::new()
    } else {
        format!("Cookie: {cookie}\r\n")
    };
    let length = body.len();
    let content = match body {
        "" => String::new(),
        _ => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
    };
    format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{cookie}{content}\r\n{body}").into()
}
