//! Many connections of one network through a trusted proxy.

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, timeout},
};

use super::{super::table::Table, at_most, site::Site, visitor::Visitor};

const NETWORK: &str = "203.0.113.90";
const SESSIONS: usize = 32;
const STREAMS: usize = 800;

pub async fn measure(table: &mut Table) {
    let site = Site::unlimited();
    let mut cookies = Vec::new();
    for n in 0..SESSIONS {
        cookies.push(
            Visitor::new(site.address(), NETWORK)
                .create(&format!("s{n}"))
                .await,
        );
    }
    let site = site.limited(&[]);
    let mut open = Vec::new();
    for n in 0..STREAMS {
        let visitor = Visitor::new(site.address(), NETWORK).with_cookie(&cookies[n % SESSIONS]);
        open.extend(stream(&site, &visitor.head("GET", "/api/v1/events", "", 0)).await);
    }
    // The server may have closed some to make room for others.
    let alive = open.iter_mut().map(|stream| async {
        let mut bytes = [0; 1024];
        !matches!(
            timeout(Duration::from_millis(500), stream.read(&mut bytes)).await,
            Ok(Ok(0) | Err(_))
        )
    });
    let alive = join_all(alive)
        .await
        .into_iter()
        .filter(|alive| *alive)
        .count();
    at_most(
        table,
        "streams of one network through a trusted proxy",
        "the limit",
        "",
        (alive as f64, 512.0),
    );
}

/// Opens a stream. `None` if the server refuses it.
async fn stream(site: &Site, request: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(site.address()).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut read = [0; 512];
    let count = timeout(Duration::from_secs(10), stream.read(&mut read))
        .await
        .ok()?
        .ok()?;
    read[..count].starts_with(b"HTTP/1.1 200").then_some(stream)
}
