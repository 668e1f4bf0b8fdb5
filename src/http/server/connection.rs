//! The bytes of a connection. A peer that stops reading, or that sends without end, is cut off.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::http::server::connection_limits::ConnectionPermit;

/// How long a closed connection still reads and discards the peer's bytes.
const LINGER: Duration = Duration::from_secs(1);

/// The fewest bytes that a peer must take within its patience while more wait. Otherwise a peer
/// could hold them forever by taking a byte at a time.
const MIN_PROGRESS: usize = 64 * 1024;

/// A connection's bytes, in both directions.
pub struct Connection {
    stream: TcpStream,
    /// Dropped with the connection.
    _permit: ConnectionPermit,
    patience: Duration,
    /// Runs while bytes wait for the peer to take them.
    waiting: Option<PendingWrite>,
    /// Runs once the connection is closed.
    lingering: Option<Pin<Box<Sleep>>>,
}

/// The time that a peer has to take more bytes, and how many it has taken.
struct PendingWrite {
    over: Pin<Box<Sleep>>,
    taken: usize,
}

impl Connection {
    /// A write fails if the peer takes fewer than `MIN_PROGRESS` bytes within `patience` while
    /// more wait.
    pub fn new(stream: TcpStream, permit: ConnectionPermit, patience: Duration) -> Self {
        Self {
            stream,
            _permit: permit,
            patience,
            waiting: None,
            lingering: None,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self {
            stream,
            patience,
            waiting,
            ..
        } = self.get_mut();
        if let Poll::Ready(written) = Pin::new(stream).poll_write_vectored(cx, slices) {
            let taken = written.as_ref().copied().unwrap_or(0);
            *waiting = waiting
                .take()
                .map(|now| PendingWrite {
                    taken: now.taken + taken,
                    ..now
                })
                .filter(|now| now.taken < MIN_PROGRESS);
            return Poll::Ready(written);
        }
        let waiting = waiting.get_or_insert_with(|| PendingWrite {
            over: Box::pin(sleep(*patience)),
            taken: 0,
        });
        ready!(waiting.over.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket has no buffer to flush, and a caller that flushes has written everything.
        self.waiting = None;
        Poll::Ready(Ok(()))
    }

    /// Closes in stages (RFC 9112 §9.6). Closing while the peer still sends would reset the
    /// connection, and the peer might lose its last answer.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self {
            stream, lingering, ..
        } = self.get_mut();
        if lingering.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
        }
        // Poll the timer first. A peer that never stops sending would otherwise keep the task busy.
        let mut lingering = lingering
            .get_or_insert_with(|| Box::pin(sleep(LINGER)))
            .as_mut();
        if lingering.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut scrap = [0; 4096];
        loop {
            let mut scrap = ReadBuf::new(&mut scrap);
            match Pin::new(&mut *stream).poll_read(cx, &mut scrap) {
                Poll::Ready(Ok(())) if !scrap.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
