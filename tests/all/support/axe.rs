//! axe-core finds the parts of a page that some users could not see, reach or understand.

use std::{fs, sync::LazyLock};

use serde_json::json;

use super::browser::Page;

static AXE: LazyLock<String> = LazyLock::new(|| {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/npm/node_modules/axe-core/axe.min.js"
    );
    fs::read_to_string(path).expect("axe-core is not installed: tests/run does it")
});

/// The criteria of WCAG 2.2, levels A and AA, and axe-core's best practices.
pub const EVERYTHING: &[&str] = &[
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22aa",
    "best-practice",
];
/// The rules whose result may differ between light and dark.
pub const COLOURS: &[&str] = &["color-contrast", "link-in-text-block"];

impl Page {
    /// The violations that axe-core finds on the current page, selected by rules or by their tags.
    /// There is one line for each rule and element.
    pub async fn violations(&self, rules: &[&str]) -> Vec<String> {
        if self.run("return window.axe === undefined", vec![]).await == true {
            // The browser adds axe-core to this page and to every later one. The page itself could
            // not, because its Content-Security-Policy forbids it.
            let script = json!({"source": AXE.as_str(), "runImmediately": true});
            self.devtools("Page.addScriptToEvaluateOnNewDocument", script)
                .await;
        }
        let ask = "const [runOnly, done] = arguments;
            axe.run(document, { runOnly, resultTypes: ['violations'] }).then(
                ({ violations }) => done(violations.flatMap(({ id, impact, help, nodes }) =>
                    nodes.map(({ target, any }) => `${id} (${impact}): ${target.flat(9).join(' ')}: ${any[0]?.message ?? help}`))),
                (error) => done([`axe-core failed: ${error}`]))";
        serde_json::from_value(self.run_async(ask, vec![json!(rules)]).await).unwrap()
    }
}
