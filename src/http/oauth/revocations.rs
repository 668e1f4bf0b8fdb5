//! Revocations of grants and tokens as server-sent events, for resource servers.

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tokio::time::Interval;
use utoipa::IntoParams;

use crate::{
    error::Result,
    http::{
        api::event_stream,
        errors::problem::{self, Problems, Throttled},
        extract::{address::Address, app_form::Presented, body::QueryParams},
        middleware::rate_limits,
        state::ServerState,
    },
    model::RevocationId,
    oauth::{
        Shown,
        revocations::{self, RevocationItem, RevocationReader},
    },
    store::revocation::{Revocation, Revoked},
};

/// The query of a stream of revocations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct After {
    /// The position to continue from. Last-Event-ID is newer and takes precedence. Without either,
    /// the stream begins at the present.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
}

/// Streams the ends of grants and of single tokens in commit order, from now on or from a position.
/// `id:` is the position. `grant_ended` and `token_ended` report an end; `token_ended` has the
/// `jti` that introspection gave. `current` says that the stream has caught up. `reset` says that
/// some ends were removed and will never be sent.
#[utoipa::path(get, security(("app" = []), ("token" = [])), path = "/auth/grants/events", tag = "oauth",
    params(After, ("Last-Event-ID" = Option<String>, Header, nullable = false, pattern = "^[0-9]{1,18}$",
        description = "The position from which a broken stream continues")),
    responses((status = 200, description = "The event stream", content_type = "text/event-stream", body = event_stream::StreamItem),
        Problems, Throttled))]
pub async fn events(
    State(server): State<ServerState>,
    address: Address,
    headers: HeaderMap,
    params: Result<QueryParams<After>>,
) -> Response {
    problem::offer_both(
        follow(server, address, headers, params)
            .await
            .into_response(),
    )
}

async fn follow(
    server: ServerState,
    address: Address,
    headers: HeaderMap,
    params: Result<QueryParams<After>>,
) -> Result<Response> {
    let QueryParams(After { after }) = params?;
    let presented =
        rate_limits::app_form(&server.core, &address, Presented::in_head(&headers)).await?;
    let by = rate_limits::proof(&server.core, &address, presented).await?;
    let after = event_stream::position(&headers, after.as_deref())?.map(|id| RevocationId(id.0));
    let attempt = revocations::follow(
        &server.core,
        &server.revocation_feed,
        by.clone(),
        after,
        address.at,
    );
    let reader = rate_limits::app_call(&server.core, &address, by, Shown::Nothing, attempt).await?;
    let opening = Some(event_stream::opening(reader.position()));
    let stream = Stream {
        server,
        reader,
        heartbeat: event_stream::heartbeat(),
        opening,
        over: false,
    };
    Ok(event_stream::answer(futures_util::stream::unfold(
        stream,
        |mut stream| async move {
            let chunk = stream.next().await?;
            Some((chunk, stream))
        },
    )))
}

struct Stream {
    server: ServerState,
    reader: RevocationReader,
    heartbeat: Interval,
    opening: Option<String>,
    over: bool,
}

impl Stream {
    /// The next chunk. `None` ends the stream.
    async fn next(&mut self) -> Option<String> {
        if self.opening.is_some() || self.over {
            return self.opening.take();
        }
        let item = tokio::select! {
            item = self.reader.next(self.server.clock.moment()) => item,
            _ = self.heartbeat.tick() => return Some(format!("id: {}\n\n", self.reader.position())),
            // The follower reconnects by itself and reaches the next server.
            () = self.server.stopping.cancelled() => return None,
        };
        match item {
            Ok(RevocationItem::Revocations(revocations)) => {
                Some(revocations.iter().map(frame).collect())
            }
            Ok(RevocationItem::UpToDate) => Some(format!(
                "event: current\nid: {}\ndata: {{}}\n\n",
                self.reader.position()
            )),
            Ok(RevocationItem::Reset) => Some(format!(
                "event: reset\nid: {}\ndata: {{}}\n\n",
                self.reader.position()
            )),
            Ok(RevocationItem::Refused) => {
                self.over = true;
                Some("event: end\ndata: {\"reason\":\"revoked\"}\n\n".into())
            }
            Err(error) => {
                tracing::warn!(%error, "a stream of revocations failed");
                None
            }
        }
    }
}

fn frame(Revocation { id, grant, ended }: &Revocation) -> String {
    match ended {
        Revoked::Token(jti) => format!(
            "event: token_ended\nid: {id}\ndata: {{\"grant_id\":{grant},\"jti\":\"{jti}\"}}\n\n"
        ),
        Revoked::Grant(reason) => format!(
            "event: grant_ended\nid: {id}\ndata: {{\"grant_id\":{grant},\"reason\":\"{}\"}}\n\n",
            reason.name()
        ),
    }
}
