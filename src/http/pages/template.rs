//! Pages made from the templates of `web/`, which work without script.

use crate::http::pages::assets;

/// A page of one card, by its title and the card's template, filled as [`render`] does.
pub fn card(title: &str, template: &str, fill: impl FnMut(&str, &mut String)) -> String {
    let card = render(template, fill);
    render(assets::CARD, |name, page| match name {
        "title" => escape(title, page),
        "card" => page.push_str(&card),
        _ => {}
    })
}

/// Fills a template: `{{name}}` becomes what `fill` writes for the name. In one pass, so that
/// nothing filled in is taken for a placeholder.
pub fn render(template: &str, mut fill: impl FnMut(&str, &mut String)) -> String {
    let mut page = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, marked)) = rest.split_once("{{") {
        let (name, after) = marked.split_once("}}").unwrap_or((marked, ""));
        page.push_str(before);
        fill(name, &mut page);
        rest = after;
    }
    page + rest
}

/// A page that says something and asks nothing.
pub fn notice(title: &str, text: &str) -> String {
    card(title, assets::NOTICE_CARD, |name, page| match name {
        "title" => escape(title, page),
        "text" => escape(text, page),
        _ => {}
    })
}

/// What was wrong, as a page says it: with a capital and a full stop.
pub fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// Writes text as text, between tags and in quoted attributes alike.
pub fn escape(text: &str, page: &mut String) {
    for c in text.chars() {
        match c {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            c => page.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_text_and_no_placeholder() {
        let page = render(
            "<p title=\"{{title}}\">{{text}}{{unknown}}</p>{{",
            |name, page| match name {
                "title" => escape("\"><script>{{text}}", page),
                "text" => escape("<b> & 'b'", page),
                _ => {}
            },
        );
        assert_eq!(
            page,
            "<p title=\"&quot;&gt;&lt;script&gt;{{text}}\">&lt;b&gt; &amp; &#39;b&#39;</p>"
        );
    }
}
