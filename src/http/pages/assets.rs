//! The web client, embedded: every file of `web/`, served as it is or compressed (RFC 9110
//! §8.4.1.3, gzip).

use std::{collections::HashMap, io::Write, sync::LazyLock};

use axum::{
    Extension,
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};

use crate::{
    error::{Code, Error, Result},
    http::{
        errors::problem::{NotFound, PageProblems},
        extract::{body::PathParam, grammar},
        server::response_permits::RetainedBytes,
    },
    secret::sha256,
};

const INDEX: &str = "index.html";
const INDEX_PAGE: &str = include_str!("../../../web/index.html");

macro_rules! files {
    ($($name:literal)*) => {
        /// Every file but the pages, by name.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../../web/", $name))),)*];
    };
}

files! {
    "api.js"
    "app.js"
    "app.webmanifest"
    "browse.js"
    "chat.css"
    "chat.js"
    "commands.js"
    "composer.js"
    "delivery.js"
    "dom.js"
    "frame.js"
    "icon.svg"
    "main.js"
    "messages.js"
    "model.js"
    "notices.js"
    "panels.js"
    "style.css"
    "text.js"
    "unsent.js"
    "words.js"
    "worker.js"
}

/// A file as it travels.
struct Sent {
    /// The ETag: the hash of the text, and the coding.
    tag: String,
    bytes: Bytes,
}

/// A file in both codings that a browser may ask for.
struct File {
    plain: Sent,
    gzip: Sent,
}

/// Every file by name. Each is compressed once, when the first page is asked for.
static SENT: LazyLock<HashMap<&str, File>> = LazyLock::new(|| {
    FILES
        .iter()
        .copied()
        .chain([(INDEX, INDEX_PAGE)])
        .map(|(name, text)| (name, File::of(text)))
        .collect()
});

impl File {
    fn of(text: &'static str) -> Self {
        let hash = sha256(text.as_bytes())[..8]
            .iter()
            .fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
        let plain = Sent {
            tag: format!("\"{hash}\""),
            bytes: Bytes::from_static(text.as_bytes()),
        };
        // A strong ETag names one sequence of bytes (RFC 9110 §8.8.3.3).
        let gzip = Sent {
            tag: format!("\"{hash}-gzip\""),
            bytes: gzip(text).into(),
        };
        Self { plain, gzip }
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish())
        .unwrap_or_default()
}

/// The web client.
#[utoipa::path(get, security(()), path = "/", tag = "service",
    responses((status = 200, description = "The page", content_type = "text/html", body = String),
        (status = 304, description = "What has the ETag that was named is the newest"), PageProblems))]
pub async fn index(headers: HeaderMap) -> Response {
    file(&headers, INDEX)
}

/// Where the page opens the panel in which the password is changed.
const CHANGE_PASSWORD: &str = "/?change-password";

/// Leads a password manager to the page where the password is changed (W3C, "A Well-Known URL for
/// Changing Passwords").
#[utoipa::path(get, security(()), path = "/.well-known/change-password", tag = "service",
    responses((status = 302, description = "To that page", headers(("location" = String))), PageProblems))]
pub async fn change_password() -> impl IntoResponse {
    (StatusCode::FOUND, [(header::LOCATION, CHANGE_PASSWORD)])
}

/// A part of the web client.
#[utoipa::path(get, security(()), path = "/assets/{name}", tag = "service", params(("name" = String, Path)),
    responses(
        (status = 200, description = "The file", content((String = "text/javascript"), (String = "text/css"),
            (String = "image/svg+xml"), (Object = "application/manifest+json"))),
        (status = 304, description = "What has the ETag that was named is the newest"), PageProblems, NotFound))]
pub async fn asset(PathParam(name): PathParam, headers: HeaderMap) -> Result<Response> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    let (name, _) =
        found.ok_or_else(|| Error::new(Code::NotFound, "the web client has no such file"))?;
    Ok(file(&headers, name))
}

/// A file with its ETag: a browser asks each time, and the server sends the file only when it has
/// changed.
fn file(headers: &HeaderMap, name: &'static str) -> Response {
    let file = &SENT[name];
    let gzip = grammar::takes_coding(headers, &["gzip", "x-gzip"]);
    let (sent, coding) = if gzip {
        (&file.gzip, Some("gzip"))
    } else {
        (&file.plain, None)
    };
    let caching = [
        (header::ETAG, sent.tag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "Accept-Encoding"),
    ];
    if grammar::none_match(headers, &sent.tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let kind = [(header::CONTENT_TYPE, media_type(name))];
    let mut response =
        (Extension(RetainedBytes), caching, kind, sent.bytes.clone()).into_response();
    if let Some(coding) = coding {
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The templates of the pages that the server renders.
    fn templates() -> impl Iterator<Item = String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web/templates");
        let paths = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        paths.map(|path| std::fs::read_to_string(path).unwrap())
    }

    /// What travels: 100 KiB for everything, 20 KiB of script before the first page.
    #[test]
    fn every_file_is_served_with_its_type_and_the_whole_is_small() {
        let mut bytes = gzip(INDEX_PAGE).len();
        bytes += templates().map(|text| gzip(&text).len()).sum::<usize>();
        for (name, text) in FILES {
            assert_ne!(media_type(name), "application/octet-stream", "{name}");
            bytes += gzip(text).len();
        }
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/web")).unwrap();
        let folder = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let served = FILES.iter().map(|(name, _)| *name);
        let known = served.chain([INDEX, "templates"]).map(str::to_owned);
        assert_eq!(
            known.collect::<BTreeSet<_>>(),
            folder.collect::<BTreeSet<_>>()
        );
        assert!(
            bytes < 100 * 1024,
            "the web client has {bytes} bytes compressed"
        );
        let mut first = vec!["app.js"];
        let mut next = 0;
        while let Some(name) = first.get(next) {
            let imports = source(name)
                .lines()
                .filter_map(|line| line.split_once("from \"./")?.1.strip_suffix('"'));
            let imports: Vec<_> = imports.filter(|name| !first.contains(name)).collect();
            first.extend(imports);
            next += 1;
        }
        let first: usize = first.into_iter().map(|name| gzip(source(name)).len()).sum();
        assert!(
            first < 20 * 1024,
            "the first view has {first} bytes of script, compressed"
        );
    }

    fn source(name: &str) -> &'static str {
        FILES
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("{name}"))
            .1
    }
}
