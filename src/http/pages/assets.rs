//! The web client: every file of `web/`, embedded in the binary. The server sends it compressed if
//! the browser accepts gzip (RFC 9110 §8.4.1.3).

use std::{borrow::Cow, collections::HashMap, io::Write, sync::LazyLock};

use axum::{
    Extension,
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use rust_embed::RustEmbed;

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

/// The files of `web/`. A debug build reads them from the source tree when the server starts, so
/// that a change of the page needs no compiler. A release build has them in the binary.
#[derive(RustEmbed)]
#[folder = "web"]
struct Files;

/// One representation of a file.
struct Encoded {
    /// The strong ETag: a hash of the text, and the coding.
    tag: String,
    bytes: Bytes,
}

/// A file in both codings.
struct File {
    media_type: &'static str,
    plain: Encoded,
    gzip: Encoded,
}

/// The files by their path below `web/`. Each is compressed once, when the first page is requested.
static FILES: LazyLock<HashMap<Cow<'static, str>, File>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|path| {
            let media_type = media_type(&path)?;
            let file = File::new(media_type, Files::get(&path)?.data);
            Some((path, file))
        })
        .collect()
});

impl File {
    fn new(media_type: &'static str, text: Cow<'static, [u8]>) -> Self {
        let hash = sha256(&text)[..8]
            .iter()
            .fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
        // A strong ETag names one sequence of bytes (RFC 9110 §8.8.3.3), so each coding has its
        // own.
        let gzip = Encoded {
            tag: format!("\"{hash}-gzip\""),
            bytes: gzip(&text).into(),
        };
        let plain = Encoded {
            tag: format!("\"{hash}\""),
            bytes: match text {
                Cow::Borrowed(text) => Bytes::from_static(text),
                Cow::Owned(text) => text.into(),
            },
        };
        Self {
            media_type,
            plain,
            gzip,
        }
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    encoder
        .write_all(text)
        .and_then(|()| encoder.finish())
        .unwrap_or_default()
}

/// The web client.
#[utoipa::path(get, security(()), path = "/", tag = "service",
    responses((status = 200, description = "The web client", content_type = "text/html", body = String),
        (status = 304, description = "The browser's copy is current"), PageProblems))]
pub async fn index(headers: HeaderMap) -> Result<Response> {
    serve(&headers, INDEX)
}

/// The path at which the page opens the panel for changing the password.
const CHANGE_PASSWORD: &str = "/?change-password";

/// Leads a password manager to the page where the password is changed (W3C, "A Well-Known URL for
/// Changing Passwords").
#[utoipa::path(get, security(()), path = "/.well-known/change-password", tag = "service",
    responses((status = 302, description = "A redirect to the page that changes the password", headers(("location" = String))), PageProblems))]
pub async fn change_password() -> impl IntoResponse {
    (StatusCode::FOUND, [(header::LOCATION, CHANGE_PASSWORD)])
}

/// A part of the web client. Its `name` is a path below `web/`, which may have slashes.
#[utoipa::path(get, security(()), path = "/assets/{name}", tag = "service", params(("name" = String, Path)),
    responses(
        (status = 200, description = "The file", content((String = "text/javascript"), (String = "text/css"),
            (String = "image/svg+xml"), (Object = "application/manifest+json"))),
        (status = 304, description = "The browser's copy is current"), PageProblems, NotFound))]
pub async fn asset(PathParam(name): PathParam, headers: HeaderMap) -> Result<Response> {
    if name.ends_with(".html") {
        return Err(no_such_file());
    }
    serve(&headers, &name)
}

fn no_such_file() -> Error {
    Error::new(Code::NotFound, "the web client has no such file")
}

/// Answers with a file and its ETag. A browser asks each time, and the server sends the file only
/// when it has changed.
fn serve(headers: &HeaderMap, path: &str) -> Result<Response> {
    let file = FILES.get(path).ok_or_else(no_such_file)?;
    let (encoded, coding) = if grammar::takes_coding(headers, &["gzip", "x-gzip"]) {
        (&file.gzip, Some("gzip"))
    } else {
        (&file.plain, None)
    };
    let caching = [
        (header::ETAG, encoded.tag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "Accept-Encoding"),
    ];
    if grammar::none_match(headers, &encoded.tag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let kind = [(header::CONTENT_TYPE, file.media_type)];
    let mut response = (
        Extension(RetainedBytes),
        caching,
        kind,
        encoded.bytes.clone(),
    )
        .into_response();
    if let Some(coding) = coding {
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    Ok(response)
}

/// The media type of a file that is served. `None` for the files of `web/` that are documentation.
fn media_type(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "webmanifest" => Some("application/manifest+json"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const KIB: usize = 1024;

    fn compressed(paths: impl IntoIterator<Item = impl AsRef<str>>) -> usize {
        paths
            .into_iter()
            .map(|path| FILES[path.as_ref()].gzip.bytes.len())
            .sum()
    }

    #[test]
    fn the_whole_web_client_is_small() {
        let bytes = compressed(FILES.keys());
        assert!(bytes < 100 * KIB, "the web client has {bytes} bytes");
    }

    /// The page, its stylesheets, its script, and the modules that the script imports.
    #[test]
    fn the_first_page_is_smaller() {
        let mut needed = BTreeSet::from([INDEX.to_owned()]);
        let mut queue = vec![INDEX.to_owned()];
        while let Some(path) = queue.pop() {
            for found in references(&path) {
                if needed.insert(found.clone()) {
                    queue.push(found);
                }
            }
        }
        let scripts = needed.iter().filter(|path| path.ends_with(".js")).count();
        let styles = needed.iter().filter(|path| path.ends_with(".css")).count();
        assert!(scripts > 1 && styles > 0, "{needed:?}");
        let bytes = compressed(&needed);
        assert!(bytes < 20 * KIB, "the first page has {bytes} bytes");
    }

    /// The files that a browser fetches because of this one: a page's links and scripts, and static
    /// imports.
    fn references(path: &str) -> Vec<String> {
        let text = std::str::from_utf8(&FILES[path].plain.bytes).unwrap();
        if path.ends_with(".html") {
            let addresses = text.split("\"/assets/").skip(1);
            return addresses
                .map(|rest| rest.split(['"', '#']).next().unwrap().to_owned())
                .collect();
        }
        if !path.ends_with(".js") {
            return Vec::new();
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        // Comments import types, which no browser fetches.
        let code = text.lines().filter(|line| !line.starts_with("/**"));
        code.filter_map(|line| line.split_once("from \"")?.1.strip_suffix("\";"))
            .map(|specifier| resolve(folder, specifier))
            .collect()
    }

    /// The path of a module that is imported from a file in `folder`.
    fn resolve(folder: &str, specifier: &str) -> String {
        let mut path: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in specifier.split('/') {
            match part {
                "." => {}
                ".." => drop(path.pop()),
                name => path.push(name),
            }
        }
        path.join("/")
    }
}
