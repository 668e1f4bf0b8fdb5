//! Just enough of a WebSocket client (RFC 6455), and of an IRC one, to count what arrives: bytes
//! are looked at, never kept.

use std::{io, net::SocketAddr};

use tokio::{io::AsyncWriteExt, net::TcpStream};

/// Bytes read at once; the buffer is shared by all readers of the thread, because none keeps it
/// over an await.
const READ: usize = 256 * 1024;

/// The answer to a ping without payload (RFC 6455 §5.5.3).
const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];

thread_local! {
    static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; READ]);
}

/// A connection on which messages arrive.
pub struct Receiver {
    stream: TcpStream,
    format: Format,
}

/// How messages are told apart, and what of one was seen so far.
enum Format {
    /// The header's bytes as far as they came, and how much is left of the payload.
    WebSocket { header: Vec<u8>, left: usize },
    /// Lines are counted if the first word after the source is this; the line as far as it came,
    /// and no further than needed.
    Irc {
        command: &'static [u8],
        line: Vec<u8>,
    },
}

impl Receiver {
    /// Opens a WebSocket.
    pub async fn web_socket(address: SocketAddr, path: &str, cookie: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let cookie = if cookie.is_empty() {
            String::new()
        } else {
            format!("Cookie: {cookie}\r\n")
        };
        let handshake = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\n{cookie}Connection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(handshake.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        // Byte by byte, so that no message that follows is taken for the head.
        while !head.ends_with(b"\r\n\r\n") {
            stream.readable().await.unwrap();
            let mut byte = [0];
            match stream.try_read(&mut byte) {
                Ok(count) => head.extend(&byte[..count]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Self {
            stream,
            format: Format::WebSocket {
                header: Vec::new(),
                left: 0,
            },
        }
    }

    /// An IRC connection that has registered; of what arrives, PRIVMSGs count.
    pub fn irc(stream: TcpStream) -> Self {
        Self {
            stream,
            format: Format::Irc {
                command: b"PRIVMSG",
                line: Vec::new(),
            },
        }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Waits until something arrives; how many messages that completes.
    pub async fn receive(&mut self) -> usize {
        loop {
            self.stream.readable().await.unwrap();
            let received = BUFFER.with_borrow_mut(|buffer| match self.stream.try_read(buffer) {
                Ok(0) => panic!("the server closed a connection"),
                Ok(count) => Some(self.format.count(&buffer[..count])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(error) => panic!("a connection broke: {error}"),
            });
            if let Some((count, pings)) = received {
                for _ in 0..pings {
                    self.send(PONG).await;
                }
                return count;
            }
        }
    }

    /// Waits for so many messages.
    pub async fn receive_all(&mut self, mut count: usize) {
        while count > 0 {
            count = count
                .checked_sub(self.receive().await)
                .expect("more arrived than was sent");
        }
    }
}

impl Format {
    /// Messages that these bytes complete, and pings that want an answer.
    fn count(&mut self, bytes: &[u8]) -> (usize, usize) {
        match self {
            Self::WebSocket { header, left } => count_frames(bytes, header, left),
            Self::Irc { command, line } => (count_lines(bytes, command, line), 0),
        }
    }
}

/// Counts text frames and pings by their headers.
fn count_frames(mut bytes: &[u8], header: &mut Vec<u8>, left: &mut usize) -> (usize, usize) {
    let (mut texts, mut pings) = (0, 0);
    while !bytes.is_empty() {
        if *left > 0 {
            let taken = bytes.len().min(*left);
            *left -= taken;
            bytes = &bytes[taken..];
            continue;
        }
        header.push(bytes[0]);
        bytes = &bytes[1..];
        let extended = match header.get(1).map(|length| length & 0x7f) {
            Some(126) => 2,
            Some(127) => 8,
            _ => 0,
        };
        if header.len() < 2 + extended {
            continue;
        }
        let length = match extended {
            0 => usize::from(header[1] & 0x7f),
            _ => header[2..]
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte)),
        };
        texts += usize::from(header[0] == 0x81);
        pings += usize::from(header[0] == 0x89);
        *left = length;
        header.clear();
    }
    (texts, pings)
}

fn count_lines(bytes: &[u8], command: &[u8], line: &mut Vec<u8>) -> usize {
    line.extend(bytes);
    let Some(end) = line.iter().rposition(|byte| *byte == b'\n') else {
        return 0;
    };
    let count = line[..end]
        .split(|byte| *byte == b'\n')
        .filter(|line| line.split(|b| *b == b' ').nth(1) == Some(command));
    let count = count.count();
    line.drain(..=end);
    count
}

/// A text as a client's frame. The mask is zero, which leaves the bytes as they are (RFC 6455
/// §5.3).
pub fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}
