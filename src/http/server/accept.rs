//! The accept loop, and HTTP/1.1 (RFC 9112) over each connection. The loop is written here because
//! `axum::serve` has no time-outs and no limits.
//!
//! Every peer takes bounded time and bounded memory, even if it stays silent, reads slowly, never
//! stops sending or opens many connections. Sending a head, sending a body and reading a response
//! have time-outs (see [`Patience`]). The length of a head and the bytes buffered for a peer are
//! limited. Each network has a limit on its connections (see [`super::connection_limits`]).

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

/// The most bytes of a request's head. A longer one is answered 431 (RFC 6585 §5). hyper also
/// collects up to this many bytes of a response before it writes them.
const HEAD_LIMIT: usize = 16 * 1024;
/// The bytes that the system buffers for a peer that does not read. Without this limit the buffer
/// would grow to megabytes.
const SEND_BUFFER: usize = 64 * 1024;
/// The pause before accepting again after the system ran out of files or memory.
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

/// Serves connections until the server is stopping, then waits for the open ones to finish. They
/// are closed if the future is dropped.
pub async fn serve(server: ServerState, router: Router, listener: TcpListener) {
    // Accepted connections inherit this option.
    if let Err(error) = sockopt::set_socket_send_buffer_size(&listener, SEND_BUFFER) {
        tracing::warn!(%error, "SO_SNDBUF cannot be set");
    }
    let http = http(server.patience);
    // Dropping a JoinSet ends its connections. Dropping a TaskTracker would leave them running.
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

/// The settings of HTTP/1.1 for every connection.
fn http(patience: Patience) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(HEAD_LIMIT);
    // A peer that closes its side has left. Its requests end, and its permits are released.
    http.half_close(false);
    http
}

/// Waits for the next connection that the limits allow.
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
        // The server writes complete responses, so Nagle's algorithm would only delay them.
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

/// Answers the requests of one connection until it ends.
async fn serve_connection(
    server: ServerState,
    http: http1::Builder,
    router: Router,
    connection: Connection,
    address: SocketAddr,
) {
    let middleware = Middleware::new(server.clone(), router, address);
    let service = service_fn(move |request| middleware.answer(request));
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
