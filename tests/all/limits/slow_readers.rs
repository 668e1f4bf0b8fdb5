//! Readers that stop reading: whatever they request, a hundred of them raise the server's memory by
//! less than 50 MB, and the server goes on answering others.

use std::path::Path;

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    limits::hostile_connections::others_are_served,
    support::{Device, OTHER_ADDRESS, Process, Raw, head, until},
};

/// The server's memory must grow by less than this number of bytes.
const MOST: u64 = 50_000_000;
const READERS: usize = 100;
const SESSIONS: usize = 25;
const CHANNELS: usize = 100;
/// A character that takes six bytes in JSON.
const ESCAPED: &str = "\u{1}";

/// One kind of request: what a reader sends as a given device, and how many bytes of the answer it
/// reads.
struct Row {
    name: &'static str,
    asks: fn(&Device) -> Vec<u8>,
    read: usize,
}

const fn row(name: &'static str, read: usize, asks: fn(&Device) -> Vec<u8>) -> Row {
    Row { name, asks, read }
}

/// More bytes than the system buffers for a reader, so that the server reaches the part behind
/// them.
const FURTHER: usize = 400_000;

const ROWS: [Row; 17] = [
    row("snapshot", 1, |device| get(device, "/api/v1/session")),
    row("history of a channel", 1, |device| {
        get(device, "/api/v1/history?target=%23c0&limit=500")
    }),
    row("history around a message", 1, |device| {
        get(device, "/api/v1/history?target=%23c0&limit=500&around=5100")
    }),
    row("poll", 1, |device| {
        get(device, "/api/v1/messages?after=0&limit=500&timeout=0")
    }),
    row("stream", FURTHER, |device| {
        get(device, "/api/v1/events?after=0")
    }),
    row("queue over a socket", FURTHER, |device| {
        socket(device, "after=0", &[])
    }),
    row("audit", 1, |device| get(device, "/api/v1/audit?limit=500")),
    row("keys", 1, |device| get(device, "/api/v1/keys")),
    row("channels", 1, |device| {
        get(device, "/api/v1/channels?limit=500")
    }),
    row("channels that match a query of its own", 1, |device| {
        let own = device.cookie.as_ref().map_or(0, |cookie| {
            cookie.bytes().map(usize::from).sum::<usize>() % 100
        });
        get(
            device,
            &format!("/api/v1/channels?limit={}&match=c", 400 + own),
        )
    }),
    row("description", 1, |device| get(device, "/openapi.json")),
    row("metrics", 1, |device| get(device, "/metrics")),
    row("script", 1, |device| get(device, "/assets/core/chat.js")),
    row("LIST by POST", 1, |device| post(device, "LIST")),
    row("questions over a socket", FURTHER, |device| {
        socket(
            device,
            "",
            &[
                r#"{"command":"LIST"}"#,
                r#"{"command":"WHO","params":["*"]}"#,
            ],
        )
    }),
    row("JOIN over a socket", FURTHER, |device| {
        socket(device, "", &[&message("JOIN", &channels(0), None)])
    }),
    row("PRIVMSG over a socket", FURTHER, |device| {
        let away = (0..20)
            .map(|n| format!("s{n}"))
            .collect::<Vec<_>>()
            .join(",");
        socket(device, "", &[&message("PRIVMSG", &away, Some("hello"))])
    }),
];

fn get(device: &Device, path: &str) -> Vec<u8> {
    (head("GET", path, device) + "\r\n").into()
}

fn post(device: &Device, line: &str) -> Vec<u8> {
    let length = line.len();
    let head = head("POST", "/api/v1/messages", device);
    format!("{head}Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{line}").into()
}

/// The bytes of a WebSocket handshake, and each of the messages fifty times.
fn socket(device: &Device, query: &str, messages: &[&str]) -> Vec<u8> {
    let mut bytes = head("GET", &format!("/api/v1/socket?{query}"), device).into_bytes();
    bytes.extend(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    bytes.extend(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    for message in messages.repeat(50) {
        // RFC 6455 §5.2: a text frame has a mask, and the mask may be all zeros.
        let length = u16::try_from(message.len()).unwrap();
        bytes.extend(
            [0x81, 0x80 | 126]
                .into_iter()
                .chain(length.to_be_bytes())
                .chain([0; 4]),
        );
        bytes.extend(message.as_bytes());
    }
    bytes
}

fn message(command: &str, targets: &str, text: Option<&str>) -> String {
    let params: Vec<_> = [targets].into_iter().chain(text).collect();
    json!({"command": command, "params": params}).to_string()
}

/// Twenty channels, the most that one command may name.
fn channels(first: usize) -> String {
    (first..first + 20)
        .map(|n| format!("#c{n}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// Creates sessions that are all away and on the same hundred channels. Every text in them has its
/// maximum length.
async fn fill(server: &Process) -> Vec<String> {
    let long = &ESCAPED.repeat(1024);
    let people = join_all((0..SESSIONS).map(async |n| {
        let person = server.create_session(&format!("s{n}")).await;
        // The queue begins with this read, because the session never takes a snapshot.
        person.queue().await;
        person.send(&format!("AWAY :{long}")).await;
        person
    }))
    .await;
    for first in (0..CHANNELS).step_by(20) {
        let join = &format!("JOIN {}", channels(first));
        people[0].send(join).await;
        join_all((first..first + 20).map(|n| people[0].try_send_topic(n, long))).await;
        join_all(people[1..].iter().map(|person| person.send(join))).await;
    }
    let text = ESCAPED.repeat(4096);
    for _ in 0..60 {
        people[0].send(&format!("PRIVMSG #c0 :{text}")).await;
    }
    let res = (0..100)
        .map(|n| format!("#{n}{}", "x".repeat(60)))
        .collect::<Vec<_>>();
    join_all(people.iter().map(async |person| {
        for n in 0..10 {
            let key = json!({"name": format!("key{n}"), "scope": "chat:read", "res": res});
            person.post("/api/v1/keys", key).await.unwrap();
        }
    }))
    .await;
    people
        .into_iter()
        .map(|person| person.cookie.unwrap())
        .collect()
}

impl Device {
    async fn try_send_topic(&self, channel: usize, topic: &str) {
        self.send(&format!("TOPIC #c{channel} :{topic}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_stopped_readers_cost_little_memory_for_every_request() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    let server = Process::start(&database, &[]);
    let cookies = fill(&server).await;
    server.terminate();
    let mut grown = Vec::new();
    for row in &ROWS {
        grown.push((row.name, grows_by(&database, row, &cookies).await));
    }
    let too_much = grown
        .iter()
        .filter(|(_, grown)| *grown >= MOST)
        .collect::<Vec<_>>();
    assert!(too_much.is_empty(), "{too_much:?} of {grown:?}");
}

/// The growth of the server's memory, in bytes, while a hundred readers have sent their request and
/// read no more than `row.read` bytes.
async fn grows_by(database: &Path, row: &Row, cookies: &[String]) -> u64 {
    let server = Process::start(database, &[]);
    let device = |n: usize| server.device().with_cookie(&cookies[n % cookies.len()]);
    // An honest reader comes first, because the memory for the first answer is not caused by the
    // others.
    let mut honest = Raw::to(server.address()).await;
    honest.send((row.asks)(&device(0))).await;
    honest.read(row.read).await;
    drop(honest);
    let before = server.peak_memory();
    let mut readers = Raw::crowd(READERS, server.address()).await;
    for (n, reader) in readers.iter_mut().enumerate() {
        reader.send((row.asks)(&device(n))).await;
    }
    join_all(readers.iter_mut().map(|reader| reader.read(row.read))).await;
    others_are_served(&server.device()).await;
    let grown = server.peak_memory() - before;
    drop(readers);
    // The server releases the pending bytes, so the next request from that address is answered.
    until("an answer to the next request", async || {
        let mut next = Raw::from(OTHER_ADDRESS, server.address()).await;
        next.send(get(&device(1), "/api/v1/session")).await;
        next.answer().await.line == "HTTP/1.1 200 OK"
    })
    .await;
    grown
}
