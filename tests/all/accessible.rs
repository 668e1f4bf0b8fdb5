//! Whether everybody can use the pages: whoever sees them in other colours, larger, unmoving, or not at all.

use crate::support::{
    axe::{COLOURS, EVERYTHING},
    browser::{Page, at_both_widths},
};

/// A page that is led from state to state, and what was found wrong with it on the way.
struct Tour<'a> {
    page: &'a Page,
    found: Vec<String>,
}

impl<'a> Tour<'a> {
    fn of(page: &'a Page) -> Self {
        Self { page, found: Vec::new() }
    }

    /// Looks at the page as it is now, in light and in dark.
    async fn looks_at(&mut self, state: &str) {
        for (scheme, rules) in [("light", EVERYTHING), ("dark", COLOURS)] {
            self.page.prefers(&[("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]).await;
            for violation in self.page.violations(rules).await {
                self.found.push(format!("{state}, in {scheme}: {violation}"));
            }
        }
    }

    #[track_caller]
    fn found_nothing(self) {
        assert!(self.found.is_empty(), "{}", self.found.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_before_one_is_in() {
    at_both_widths(async |server, page| {
        let mut tour = Tour::of(page);
        page.goto(&server.url("")).await;
        page.shows("#start").await;
        tour.looks_at("the start page").await;
        tour.found_nothing();
    })
    .await;
}
