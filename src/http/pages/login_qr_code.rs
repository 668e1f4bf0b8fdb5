//! The login page's address as a QR code, which one device shows and another one scans.

use std::sync::Arc;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use qrcode::{EcLevel, QrCode, render::svg};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    error::Result,
    http::{
        errors::problem::{Malformed, PageProblems},
        extract::body::QueryParams,
        middleware::origin::OwnOrigins,
    },
    model::Nick,
};

/// The query of the QR code.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LoginCode {
    /// The nick of the session.
    #[param(pattern = r"^[A-Za-z\[-`{-}][-A-Za-z0-9\[-`{-}]{0,31}$")]
    nick: String,
}

/// A QR code (ISO/IEC 18004) of the login page's address, with the nick filled in.
#[utoipa::path(get, security(()), path = "/login/code", tag = "session", params(LoginCode),
    responses((status = 200, description = "The QR code", content_type = "image/svg+xml", body = String),
        PageProblems, Malformed))]
pub async fn code(
    State(own_origins): State<Arc<OwnOrigins>>,
    QueryParams(params): QueryParams<LoginCode>,
) -> Result<Response> {
    // Even the longest nick at the longest host name is far below the capacity of a code.
    let address = address(own_origins.issuer(), &Nick::parse(&params.nick)?);
    let code = QrCode::with_error_correction_level(address, EcLevel::M).expect("an address fits");
    let picture = code.render::<svg::Color>().build();
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

fn address(origin: &str, nick: &Nick) -> String {
    let nick: String = form_urlencoded::byte_serialize(nick.as_str().as_bytes()).collect();
    format!("{origin}/login?nick={nick}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_address_fits_and_every_nick_stays_one_parameter() {
        let nick = Nick::parse(&"|".repeat(32)).unwrap();
        let longest = address(&format!("https://{}:65535", "a".repeat(253)), &nick);
        assert!(QrCode::with_error_correction_level(&longest, EcLevel::M).is_ok());
        assert_eq!(
            address("http://[::1]:80", &Nick::parse("a`{b}|\\^").unwrap()),
            "http://[::1]:80/login?nick=a%60%7Bb%7D%7C%5C%5E"
        );
    }
}
