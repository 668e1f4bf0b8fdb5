//! The permits that a response holds until its last byte has gone to the system. A request that a
//! trusted proxy forwards holds one of its network's connections. A long response holds its bytes.
//!
//! This is written by hand, because hyper drops a body when hyper has taken its bytes, and not when
//! the peer has.

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

/// The permits of one request. They belong to the request and not to the response, because a
/// WebSocket outlives its response and needs them too.
#[derive(Clone, Default)]
pub struct ResponsePermits {
    network: Option<Arc<NetworkPermit>>,
    response: Option<Arc<ResponsePermit>>,
}

/// Marks a response whose bytes the server keeps in any case. They take memory once, for any number
/// of readers.
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

    /// Attaches the permits to a response, which holds them until its body has been sent or
    /// dropped. A long response takes its bytes from its network's limit. If the limit is reached,
    /// a refusal is sent instead, unless `may_refuse` is false because the request has already
    /// changed something.
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

/// Whether a response to this method may be replaced by a refusal, because the method changes
/// nothing.
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
        // hyper drops the body once it has taken the bytes, but keeps the bytes until the peer
        // takes them. So the bytes themselves hold the permits.
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

/// The bytes of a body with the permits that they hold.
struct PermittedBytes {
    bytes: Bytes,
    _permits: ResponsePermits,
}

impl AsRef<[u8]> for PermittedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
