//! OAuth's endpoints (RFC 6749, 7009, 7662, 8414, 8628), and the API's part about keys and grants.
//!
//! The endpoints under `/auth` take forms and know apps by their credentials, never by a cookie;
//! they refuse as RFC 6749 does. The pages are for people and know them by their cookie alone.

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::{
    Shared,
    api::{grants, keys},
};

mod authorize;
mod device;
mod metadata;
mod revocations;
mod tokens;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(keys::list, keys::issue, keys::revoke_all))
        .routes(routes!(keys::rename, keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(grants::list))
        .routes(routes!(grants::revoke))
        .routes(routes!(grants::withdraw))
        .routes(routes!(authorize::ask, authorize::ask_posted))
        .routes(routes!(authorize::decide))
        .routes(routes!(tokens::issue))
        .routes(routes!(tokens::introspect))
        .routes(routes!(tokens::revoke))
        .routes(routes!(device::authorize))
        .routes(routes!(device::page, device::decide))
        .routes(routes!(grants::userinfo, grants::posted_userinfo))
        .routes(routes!(revocations::events))
        .routes(routes!(metadata::metadata))
}
