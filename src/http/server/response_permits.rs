//! The permits that a response holds until its last byte has gone to the system: for a request that a
//! trusted proxy forwards, one of its network's connections; for a long response, its bytes.
//!
//! Written by hand, because hyper drops a body when it has taken its bytes, and not when the peer
//! has.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::Method,
    response::{IntoResponse, Response},
};
use hyper::body::{Frame, SizeHint};

use crate::{
    http::server::{
        connection_limits::NetworkPermit,
        response_limits::{LONG_RESPONSE, ResponseLimits, ResponsePermit},
    },
    model::Network,
};

/// The permits of one request. They go with the request, so that a WebSocket, which outlives its
/// response, holds them too.
#[derive(Clone, Default)]
pub struct ResponsePermits {
    network: Option<Arc<NetworkPermit>>,
    response: Option<Arc<ResponsePermit>>,
}

/// Marks a response whose bytes the server keeps in any case: they take memory once, however many
/// readers there are.
#[derive(Clone)]
pub struct RetainedBytes;

impl ResponsePermits {
    /// The permits of a request that counts as a connection of its network.
    pub fn new(permit: NetworkPermit) -> Self {
        Self {
            network: Some(Arc::new(permit)),
            response: None,
        }
    }

    /// The answer, which holds this until its body is over or nobody reads it any more. Where it is
    /// long, it takes its bytes from those of the network; if there are none left, it is a refusal
    /// instead, unless it tells of what is done already.
    pub fn until_read(
        mut self,
        mut response: Response,
        response_limits: &Arc<ResponseLimits>,
        network: Network,
        may_refuse: bool,
    ) -> Response {
        let length = response
            .body()
            .size_hint()
            .exact()
            .and_then(|length| usize::try_from(length).ok());
        if let Some(length) = length.filter(|length| {
            *length >= LONG_RESPONSE && response.extensions().get::<RetainedBytes>().is_none()
        }) {
            match response_limits.acquire(network, length) {
                Ok(permit) => self.response = Some(Arc::new(permit)),
                Err(refusal) if may_refuse => response = refusal.into_response(),
                Err(_) => {
                    self.response = Some(Arc::new(
                        response_limits.acquire_over_limit(network, length),
                    ))
                }
            }
        }
        if self.network.is_none() && self.response.is_none() {
            return response;
        }
        response.map(|body| {
            Body::new(PermittedBody {
                body,
                permits: self,
            })
        })
    }
}

/// Whether a request with this method changes nothing, so that its answer may be refused.
pub fn may_refuse(method: &Method) -> bool {
    method.is_safe()
}

struct PermittedBody {
    body: Body,
    permits: ResponsePermits,
}

impl HttpBody for PermittedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        // hyper is done with a body when it has taken its bytes, and has them until the peer takes
        // them.
        let hold = |bytes| {
            Bytes::from_owner(PermittedBytes {
                bytes,
                _permits: self.permits.clone(),
            })
        };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(hold))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes that somebody is still to be given.
struct PermittedBytes {
    bytes: Bytes,
    _permits: ResponsePermits,
}

impl AsRef<[u8]> for PermittedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
