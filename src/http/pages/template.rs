//! Pages made from the templates of `web/templates`. They work without script. Templates escape all
//! text. The compiler refuses a template whose field is missing.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use crate::{error::Error, http::errors::problem};

/// A page with a text and no form.
#[derive(Template)]
#[template(path = "notice.html", config = "web/templates/askama.toml")]
pub struct Notice<'a> {
    /// The heading, and the title of the tab.
    pub title: &'a str,
    /// The text.
    pub text: &'a str,
}

/// The response with a page.
pub fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Error::internal(error).into_response(),
    }
}

/// The response with a page that shows an error, with the error's status and headers.
pub fn error_page(error: &Error, template: &impl Template) -> Response {
    let mut response = page(problem::status(error), template);
    problem::add_headers(error, response.headers_mut());
    response
}

/// An error as a sentence: with a capital letter and a full stop.
pub fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_text_is_never_markup() {
        let notice = Notice {
            title: "\"><script>{{ text }}",
            text: "<b> & 'b'",
        };
        let page = notice.render().unwrap();
        assert!(
            page.contains("<h1>&#34;&#62;&#60;script&#62;{{ text }}</h1>"),
            "{page}"
        );
        assert!(
            page.contains("<p>&#60;b&#62; &#38; &#39;b&#39;</p>"),
            "{page}"
        );
    }
}
