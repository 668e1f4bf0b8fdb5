//! A connection whose every byte the test writes and reads itself.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::{Device, TEST_TIMEOUT};

/// Another address of this machine, from which hostile clients connect.
pub const OTHER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

pub struct Raw {
    stream: TcpStream,
    /// The bytes that were read beyond the last answer.
    read: Vec<u8>,
}

/// An answer as it was received.
#[derive(Debug)]
pub struct RawAnswer {
    /// The status line: version, status and reason.
    pub line: String,
    /// The other lines of the head.
    pub head: String,
    pub body: String,
}

impl Raw {
    pub async fn to(server: SocketAddr) -> Self {
        Self::from(Ipv4Addr::LOCALHOST.into(), server).await
    }

    /// Opens many connections at the same time, from `OTHER_ADDRESS`.
    pub async fn crowd(count: usize, server: SocketAddr) -> Vec<Self> {
        let mut crowd = Vec::new();
        // The connections open one by one, because the system drops those that overflow its queue.
        for _ in 0..count {
            crowd.push(Self::from(OTHER_ADDRESS, server).await);
        }
        crowd
    }

    /// Connects from another address of this machine.
    pub async fn from(own: IpAddr, server: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((own, 0).into()).unwrap();
        // With a small buffer, the data that the test does not read soon fills it.
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let stream = socket.connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Sends bytes as they are. Returns whether the connection took them.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends one byte every ten milliseconds until the server answers or closes.
    pub async fn trickle(&mut self, bytes: impl Iterator<Item = u8>) {
        for byte in bytes {
            self.send([byte]).await;
            let pause = Duration::from_millis(10);
            if tokio::time::timeout(pause, self.stream.peek(&mut [0]))
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    /// Closes the sending side of the connection.
    pub async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads one answer.
    pub async fn answer(&mut self) -> RawAnswer {
        let head = loop {
            if let Some(end) = self
                .read
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                let rest = self.read.split_off(end + 4);
                break String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
            }
            assert!(self.more().await, "it was closed before an answer");
        };
        let (line, head) = head
            .trim_end()
            .split_once("\r\n")
            .unwrap_or((head.trim_end(), ""));
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            assert!(self.more().await, "it was closed before the answer's end");
        }
        let rest = self.read.split_off(length);
        let body = String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
        RawAnswer {
            line: line.to_owned(),
            head: head.to_owned(),
            body,
        }
    }

    /// Reads at least this number of bytes and discards them.
    pub async fn read(&mut self, bytes: usize) {
        let mut read = 0;
        while read < bytes {
            assert!(self.more().await, "it was closed after {read} bytes");
            read += std::mem::take(&mut self.read).len();
        }
    }

    /// Reads a thousand bytes and then pauses for 50 milliseconds, again and again until the server
    /// closes.
    pub async fn sip(mut self) {
        let mut sip = [0; 1000];
        loop {
            let read = tokio::time::timeout(TEST_TIMEOUT, self.stream.read(&mut sip)).await;
            if read
                .expect("it neither sent anything nor closed")
                .unwrap_or(0)
                == 0
            {
                return;
            }
            // This test is about time: the reader is slow.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Reads until the server closes.
    pub async fn rest(self) -> String {
        String::from_utf8(self.rest_bytes().await).unwrap()
    }

    /// Reads until the server closes. The bytes need not be text.
    pub async fn rest_bytes(mut self) -> Vec<u8> {
        while self.more().await {}
        self.read
    }

    /// Reads more bytes. Returns whether any came. A reset counts as the end.
    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(TEST_TIMEOUT, self.stream.read_buf(&mut self.read)).await;
        read.expect("it neither sent anything nor closed")
            .unwrap_or(0)
            > 0
    }
}

/// The head of a request without its final empty line.
pub fn head(method: &str, path: &str, device: &Device) -> String {
    let cookie = device
        .cookie
        .as_ref()
        .map(|cookie| format!("Cookie: {cookie}\r\n"))
        .unwrap_or_default();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\n{cookie}",
        device.host()
    )
}
