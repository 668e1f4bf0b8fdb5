//! The bare peers: axum alone, without sessions and without a store.

use axum::{
    Router,
    body::Bytes,
    extract::{
        State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    http::header,
    response::Response,
    routing::{get, post},
    serve::ListenerExt,
};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::broadcast::{self, error::RecvError};

/// The most messages that wait for a connection of the broadcast.
const WAITING: usize = 4096;

pub fn run(mut args: impl Iterator<Item = String>) {
    let name = args.next().unwrap();
    let router = match name.as_str() {
        "handler" => handler(args.next().unwrap().parse().unwrap()),
        "broadcast" => broadcast(),
        "idle" => Router::new().route(
            "/",
            get(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(listen) }),
        ),
        _ => panic!("there is no peer {name}"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening on http://{}", listener.local_addr().unwrap());
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        axum::serve(listener, router).await.unwrap();
    });
}

/// One handler that answers with a JSON body of this length.
fn handler(length: usize) -> Router {
    let body = Bytes::from(vec![b' '; length]);
    let answer =
        |State(body): State<Bytes>| async { ([(header::CONTENT_TYPE, "application/json")], body) };
    Router::new().route("/", get(answer)).with_state(body)
}

/// Every message that is posted or comes over a WebSocket goes to every WebSocket. Nothing is
/// stored.
fn broadcast() -> Router {
    let (sender, _) = broadcast::channel::<Utf8Bytes>(WAITING);
    let all = sender.clone();
    let upgrade = async move |upgrade: WebSocketUpgrade| -> Response {
        let receiver = sender.subscribe();
        upgrade.on_upgrade(async move |socket| relay(socket, sender, receiver).await)
    };
    let send = async move |body: String| {
        // This fails only if no connection listens.
        let _ = all.send(body.into());
    };
    Router::new()
        .route("/", get(upgrade))
        .route("/send", post(send))
}

/// The fastest use of axum's WebSocket: everything that waits is written, then flushed once.
async fn relay(
    socket: WebSocket,
    sender: broadcast::Sender<Utf8Bytes>,
    mut receiver: broadcast::Receiver<Utf8Bytes>,
) {
    let (mut out, mut commands) = socket.split();
    let deliver = async {
        loop {
            let mut next = match receiver.recv().await {
                Err(RecvError::Closed) => return,
                next => Some(
                    next.expect("a connection fell behind, and the bare broadcast lost messages"),
                ),
            };
            while let Some(text) = next {
                if out.feed(Message::Text(text)).await.is_err() {
                    return;
                }
                next = receiver.try_recv().ok();
            }
            if out.flush().await.is_err() {
                return;
            }
        }
    };
    let take = async {
        while let Some(Ok(message)) = commands.next().await {
            if let Message::Text(text) = message {
                let _ = sender.send(text);
            }
        }
    };
    tokio::select! {
        () = deliver => {}
        () = take => {}
    }
}

/// A connection on which nothing happens.
async fn listen(mut socket: WebSocket) {
    while let Some(Ok(_)) = socket.recv().await {}
}
