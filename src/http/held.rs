//! What a request that a trusted proxy forwards holds of its network's connections: as long as it is answered, body and all.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use hyper::body::{Frame, SizeHint};

use super::places::Share;

/// Goes with the request, so that a WebSocket, which outlives its answer, holds it too.
#[derive(Clone)]
pub struct Held {
    _share: Arc<Share>,
}

impl Held {
    pub fn new(share: Share) -> Self {
        Self { _share: Arc::new(share) }
    }

    /// The answer, which holds it until its body is over or nobody reads it any more.
    pub fn until_read(self, response: Response) -> Response {
        response.map(|body| Body::new(HeldBody { body, _held: self }))
    }
}

struct HeldBody {
    body: Body,
    _held: Held,
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
