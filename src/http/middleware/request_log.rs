//! Times each request, counts its answer, and logs it at the level `debug`.

use std::time::Instant;

use axum::{
    extract::Request,
    http::{Method, StatusCode},
};

use crate::http::{metrics::Metrics, state::Parts};

/// One request until its answer. The query and the body are never logged, and the route stands for
/// the path, because a caller may put a secret where an id belongs.
pub struct RequestLog {
    started: Instant,
    /// The method and the route, if answers are logged.
    logged: Option<(Method, String)>,
}

impl RequestLog {
    /// Starts the clock for a request.
    pub fn of<B>(server: &Parts, request: &Request<B>) -> Self {
        let logged = || {
            (
                request.method().clone(),
                route(&server.route_paths, request.uri().path()).to_owned(),
            )
        };
        Self {
            started: Instant::now(),
            logged: tracing::enabled!(tracing::Level::DEBUG).then(logged),
        }
    }

    /// Counts the answer, and logs it if answers are logged.
    pub fn answered(self, metrics: &Metrics, status: StatusCode) {
        let Self { started, logged } = self;
        let time = started.elapsed();
        metrics.answered(status, time);
        if let Some((method, route)) = logged {
            tracing::debug!(%method, route, status = status.as_u16(), milliseconds = time.as_millis() as u64, "answered");
        }
    }
}

/// The route of a path, written like `/api/v1/clients/{id}`. `none` if there is no such route.
fn route<'p>(paths: &'p [String], path: &str) -> &'p str {
    // The web client's files are in folders, so their paths have more segments than the route.
    if path.starts_with("/assets/") {
        return "/assets/{name}";
    }
    let fits = |known: &&String| {
        let (mut known, mut segments) = (known.split('/'), path.split('/'));
        known
            .by_ref()
            .zip(segments.by_ref())
            .all(|(known, own)| known == own || known.starts_with('{'))
            && known.next().is_none()
            && segments.next().is_none()
    };
    // A route without a parameter takes precedence over one with a parameter.
    let found = paths
        .iter()
        .filter(fits)
        .min_by_key(|known| known.contains('{'));
    found.map_or("none", String::as_str)
}
