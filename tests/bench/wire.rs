//! Minimal clients for WebSockets (RFC 6455) and IRC, which only count what arrives and keep no
//! bytes.

use std::{io, net::SocketAddr};

use tokio::{io::AsyncWriteExt, net::TcpStream};

/// The bytes of one read. All receivers of the thread share the buffer, because none keeps it over
/// an await.
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

/// How messages are separated, and the part of the current one that has arrived.
enum Format {
    /// The part of the header that has arrived, and the bytes of the payload that are still
    /// missing.
    WebSocket { header: Vec<u8>, left: usize },
    /// Lines whose first word after the source is this command are counted. The part of the line
    /// that has arrived is kept as far as needed.
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
        // Read byte by byte, so that the first messages are not taken for the head.
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

    /// A registered IRC connection. Only PRIVMSGs count.
    pub fn irc(stream: TcpStream) -> Self {
        Self {
            stream,
            format: Format::Irc {
                command: b"PRIVMSG",
                line: Vec::new(),
            },
        }
    }

    /// Sends bytes unchanged.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Waits until bytes arrive. Returns the number of messages that they complete.
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

    /// Waits for this many messages.
    pub async fn receive_all(&mut self, mut count: usize) {
        while count > 0 {
            count = count
                .checked_sub(self.receive().await)
                .expect("more arrived than was sent");
        }
    }
}

impl Format {
    /// The number of messages that these bytes complete, and of pings to answer.
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

/// A text as a client's frame. The mask is zero, so the bytes stay as they are (RFC 6455 §5.3).
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
