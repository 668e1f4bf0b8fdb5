//! What an answer holds until its last byte has gone to the system: of a request that a trusted
//! proxy forwards, one of its network's connections; of a long answer, bytes of those that may be
//! under way.

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

/// Goes with a request, so that a WebSocket, which outlives its answer, holds it too.
#[derive(Clone, Default)]
pub struct ResponsePermits {
    share: Option<Arc<NetworkPermit>>,
    lease: Option<Arc<ResponsePermit>>,
}

/// Marks an answer whose bytes the server keeps in any case: however many read them, they take
/// memory once.
#[derive(Clone)]
pub struct RetainedBytes;

impl ResponsePermits {
    pub fn new(share: NetworkPermit) -> Self {
        Self {
            share: Some(Arc::new(share)),
            lease: None,
        }
    }

    /// The answer, which holds this until its body is over or nobody reads it any more. Where it is
    /// long, it takes its bytes from those of the network; if there are none left, it is a refusal
    /// instead, unless it tells of what is done already.
    pub fn until_read(
        mut self,
        mut response: Response,
        in_flight: &Arc<ResponseLimits>,
        network: Network,
        asks: bool,
    ) -> Response {
        let length = response
            .body()
            .size_hint()
            .exact()
            .and_then(|length| usize::try_from(length).ok());
        if let Some(length) = length.filter(|length| {
            *length >= LONG_RESPONSE && response.extensions().get::<RetainedBytes>().is_none()
        }) {
            match in_flight.take(network, length) {
                Ok(lease) => self.lease = Some(Arc::new(lease)),
                Err(refusal) if asks => response = refusal.into_response(),
                Err(_) => {
                    self.lease = Some(Arc::new(in_flight.acquire_over_limit(network, length)))
                }
            }
        }
        if self.share.is_none() && self.lease.is_none() {
            return response;
        }
        response.map(|body| Body::new(HeldBody { body, held: self }))
    }
}

/// Whether a request with this method changes nothing, so that its answer may be refused.
pub fn asks(method: &Method) -> bool {
    method.is_safe()
}

struct HeldBody {
    body: Body,
    held: ResponsePermits,
}

impl HttpBody for HeldBody {
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
            Bytes::from_owner(HeldBytes {
                bytes,
                _held: self.held.clone(),
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
struct HeldBytes {
    bytes: Bytes,
    _held: ResponsePermits,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
