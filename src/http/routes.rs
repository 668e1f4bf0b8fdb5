//! Every route, in one place.

use axum::{Router, routing::get};
use utoipa::{OpenApi, openapi};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    error::{Code, Error},
    http::{
        api::{
            audit, channels, clients, event_stream, grants, history, keys, login, messages,
            service, session, socket,
        },
        description::Description,
        extract::body::nothing_here,
        oauth::{authorize, device, metadata, revocations, tokens, userinfo},
        pages::{assets, device as device_page, login as login_page, login_qr_code},
        state::ServerState,
    },
};

/// The description of the files of the web client.
#[derive(OpenApi)]
#[openapi(paths(assets::asset))]
struct AssetsDescription;

/// The router, and the OpenAPI description of its routes. An unknown path is answered 404, an
/// unknown method 405.
pub fn routes() -> (Router<ServerState>, openapi::OpenApi) {
    let description = Description::openapi().merge_from(AssetsDescription::openapi());
    let (router, description) = OpenApiRouter::with_openapi(description)
        // Sessions and their clients.
        .routes(routes!(session::create, session::snapshot, session::end))
        .routes(routes!(login::login_api))
        .routes(routes!(login_page::page, login_page::login))
        .routes(routes!(login_qr_code::code))
        .routes(routes!(session::logout))
        .routes(routes!(session::logout_api))
        .routes(routes!(clients::list, clients::remove_others))
        .routes(routes!(clients::rename, clients::remove))
        .routes(routes!(audit::list))
        // Commands, and the delivery of events.
        .routes(routes!(messages::send, messages::poll))
        .routes(routes!(event_stream::events))
        .routes(routes!(socket::socket))
        .routes(routes!(history::history))
        .routes(routes!(channels::list))
        // What a session grants.
        .routes(routes!(keys::list, keys::issue, keys::revoke_all))
        .routes(routes!(keys::rename, keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(grants::list))
        .routes(routes!(grants::revoke))
        .routes(routes!(grants::withdraw))
        // OAuth: endpoints for apps, and the pages on which a session decides.
        .routes(routes!(authorize::ask, authorize::ask_posted))
        .routes(routes!(authorize::decide))
        .routes(routes!(tokens::issue))
        .routes(routes!(tokens::introspect))
        .routes(routes!(tokens::revoke))
        .routes(routes!(device::authorize))
        .routes(routes!(device_page::page, device_page::decide))
        .routes(routes!(userinfo::userinfo, userinfo::posted_userinfo))
        .routes(routes!(revocations::events))
        .routes(routes!(metadata::metadata))
        // The service, and the web client.
        .routes(routes!(service::server))
        .routes(routes!(service::healthz))
        .routes(routes!(service::metrics))
        .routes(routes!(service::openapi))
        .routes(routes!(assets::index))
        .routes(routes!(assets::change_password))
        // The description has no notation for a path of several segments: it says `{name}`.
        .route("/assets/{*name}", get(assets::asset))
        .fallback(|| async { nothing_here() })
        .split_for_parts();
    let router = router.method_not_allowed_fallback(|| async {
        Error::new(Code::MethodNotAllowed, "this address has no such method")
    });
    (router, description)
}
