//! A connection whose every byte is the test's.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::{Device, TEST_TIMEOUT};

/// Another address of this machine, where the hostile come from.
pub const OTHER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

pub struct Raw {
    stream: TcpStream,
    /// What was read past the last answer.
    read: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub struct RawAnswer {
    /// Version, status and reason.
    pub line: String,
    /// The other lines of the head.
    pub head: String,
    pub body: String,
}

impl Raw {
    pub async fn to(server: SocketAddr) -> Self {
        Self::from(Ipv4Addr::LOCALHOST.into(), server).await
    }

    /// Many at one time, from `OTHER_ADDRESS`.
    pub async fn crowd(count: usize, server: SocketAddr) -> Vec<Self> {
        let mut crowd = Vec::new();
        // One after the other: what overflows the system's queue is lost.
        for _ in 0..count {
            crowd.push(Self::from(OTHER_ADDRESS, server).await);
        }
        crowd
    }

    /// Comes from another address of this machine.
    pub async fn from(own: IpAddr, server: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((own, 0).into()).unwrap();
        // What it does not read fills up soon.
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let stream = socket.connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Sends bytes as they are; whether there was anybody to take them.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends a byte, and then one more every ten milliseconds, until the server answers or closes.
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

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// One answer.
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

    /// Reads about so many bytes and forgets them.
    pub async fn read(&mut self, bytes: usize) {
        let mut read = 0;
        while read < bytes {
            assert!(self.more().await, "it was closed after {read} bytes");
            read += std::mem::take(&mut self.read).len();
        }
    }

    /// Takes a thousand bytes and then nothing for 50 milliseconds, again and again, until the
    /// server closes.
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
            // Time is what is tested: this reader is slow.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Everything until the server closes.
    pub async fn rest(self) -> String {
        String::from_utf8(self.rest_bytes().await).unwrap()
    }

    /// The same, which need not be text.
    pub async fn rest_bytes(mut self) -> Vec<u8> {
        while self.more().await {}
        self.read
    }

    /// Whether something more came; a reset is an end as well.
    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(TEST_TIMEOUT, self.stream.read_buf(&mut self.read)).await;
        read.expect("it neither sent anything nor closed")
            .unwrap_or(0)
            > 0
    }
}

/// A request's head, without its end.
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
