//! The accept loop, and HTTP/1.1 (RFC 9112) over each connection. The loop is written here because
//! `axum::serve` has no time-outs and no limits.
//!
//! A peer can be silent, slow, endless or many, and takes a bounded time and a bounded memory each
//! time: its head, its body and its reading have a time-out (see [`Patience`]), its head and what
//! is buffered for it have a limit, and it counts among those of its network (see
//! [`super::connection_limits`]).

use std::{io, net::SocketAddr, pin::pin, time::Duration};

use axum::Router;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    config::Patience,
    http::{middleware::Middleware, server::connection::Connection, state::ServerState},
    model::Network,
};

/// Bytes of a request's head, at most; beyond it the answer is 431 (RFC 6585 §5). As many of an
/// answer are collected before they are written.
const HEAD_LIMIT: usize = 16 * 1024;
/// Bytes that the system holds for a peer that does not read; it would grow to megabytes by itself.
const SEND_BUFFER: usize = 64 * 1024;
/// The pause before the next try to accept, when the system has no file or memory to give.
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

/// Serves connections until the server is stopping, and then those that are open until they are
/// over. When it is dropped, they are closed.
pub async fn serve(server: ServerState, router: Router, listener: TcpListener) {
    // What is accepted inherits it.
    if let Err(error) = sockopt::set_socket_send_buffer_size(&listener, SEND_BUFFER) {
        tracing::warn!(%error, "SO_SNDBUF cannot be set");
    }
    let http = http(server.patience);
    // A JoinSet ends its connections when it is dropped; a TaskTracker would leave them running.
    let mut connections = JoinSet::new();
    {
        let (mut next, mut stopped) = (
            pin!(accept(&server, &listener)),
            pin!(server.stopping.cancelled()),
        );
        loop {
            tokio::select! {
                (connection, address) = &mut next => {
                    connections.spawn(serve_connection(server.clone(), http.clone(), router.clone(), connection, address));
                    next.set(accept(&server, &listener));
                }
                Some(_) = connections.join_next() => {}
                () = &mut stopped => break,
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The protocol as every connection speaks it.
fn http(patience: Patience) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(HEAD_LIMIT);
    // A peer that closes its side has left: what is done for it ends, and its places are free.
    http.half_close(false);
    http
}

/// The next connection that the limits allow.
async fn accept(server: &ServerState, listener: &TcpListener) -> (Connection, SocketAddr) {
    loop {
        let slot = server.connection_limits.free_slot().await;
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                recover_from(error).await;
                continue;
            }
        };
        let limited = server.limits_networks && !server.proxies.include(address.ip());
        let Some(permit) = server
            .connection_limits
            .acquire(limited.then(|| Network::of(address.ip())), slot)
        else {
            continue;
        };
        // What is written is flushed when it is complete; waiting for more would only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        return (
            Connection::new(stream, permit, server.patience.write),
            address,
        );
    }
}

async fn recover_from(error: io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::error!(%error, "cannot accept connections; trying again in a second");
        tokio::time::sleep(ACCEPT_RETRY).await;
    }
}

/// Answers the requests of one connection until it is over.
async fn serve_connection(
    server: ServerState,
    http: http1::Builder,
    router: Router,
    connection: Connection,
    address: SocketAddr,
) {
    let front = Middleware::new(server.clone(), router, address);
    let service = service_fn(move |request| front.answer(request));
    let mut connection = pin!(
        http.serve_connection(TokioIo::new(connection), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = server.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection failed");
    }
}
