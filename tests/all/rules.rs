//! The project's own rules as tests: the layers, the completeness of the documentation, the length
//! of files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::support::{TestServer, docs, docs::root};

/// The layers, lowest first. A module imports only modules of lower layers, never others of its own
/// layer. `http` and `main` may import everything.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["error"],
    &["audit"],
    &["limits"],
    &["irc"],
    &["secret"],
    &["password"],
    &["store"],
    &["session"],
    &["chat", "oauth"],
    &["service"],
    &["config"],
    &["http", "control"],
    &["main"],
];

/// The modules that may use each of these crates.
const HOMES: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("argon2", &["password"]),
    ("rand", &["secret"]),
    ("sha2", &["secret"]),
    ("hmac", &["secret"]),
    ("icu_normalizer", &["model"]),
    ("icu_properties", &["model"]),
    ("unicode_security", &["model"]),
    ("axum", &["http"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    ("rustix", &["password", "http", "store", "control"]),
    ("cookie", &["http"]),
    ("clap", &["config", "main"]),
];

fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The code of other projects has rules of its own.
        if path.ends_with("node_modules") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, extensions));
        } else if path
            .extension()
            .is_some_and(|e| extensions.contains(&e.to_str().unwrap()))
        {
            found.push(path);
        }
    }
    found
}

/// The code of every module at the top of `src`, without its tests and comments.
pub fn modules() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let src = root().join("src");
    let mut modules = BTreeMap::<_, Vec<_>>::new();
    for path in files(&src, &["rs"]) {
        let inner = path.strip_prefix(&src).unwrap();
        // The rules do not apply to tests.
        if is_of_tests(inner) {
            continue;
        }
        let name = inner
            .iter()
            .next()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code = code
            .lines()
            .map(|line| line.split("//").next().unwrap())
            .collect::<Vec<_>>()
            .join("\n");
        modules.entry(name).or_default().push((path, code));
    }
    modules.remove("lib");
    modules
}

fn mentions(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    }) || code.contains(&format!("use {name};"))
}

#[test]
fn imports_go_downward_only() {
    let layer = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let modules = modules();
    for (module, files) in &modules {
        let own = layer(module).unwrap_or_else(|| panic!("{module} is in no layer"));
        for (path, code) in files {
            // The names after each `crate::`, in `use crate::{…}` and in `crate::x::y`.
            let imported = code.split("crate::").skip(1).flat_map(|rest| {
                let block = rest.strip_prefix('{').map(top_level);
                block.unwrap_or_else(|| {
                    vec![
                        rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                            .next()
                            .unwrap()
                            .to_owned(),
                    ]
                })
            });
            for name in imported {
                let Some(other) = layer(&name) else { continue };
                assert!(
                    other < own || name == *module,
                    "{} imports {name}",
                    path.display()
                );
            }
        }
    }
}

/// The first names inside `use crate::{ … };`.
fn top_level(block: &str) -> Vec<String> {
    let (mut depth, mut names, mut fresh) = (0, Vec::new(), true);
    let mut name = String::new();
    for c in block.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(std::mem::take(&mut name));
                fresh = true;
            }
            c if depth == 0 && fresh && (c.is_alphanumeric() || c == '_') => name.push(c),
            c if depth == 0 && !c.is_whitespace() => fresh = false,
            _ => {}
        }
    }
    names.push(name);
    names
}

#[test]
fn each_crate_is_used_only_in_its_modules() {
    for (module, files) in modules() {
        for (path, code) in files {
            for (technology, homes) in HOMES {
                let at_home = homes.contains(&module.as_str());
                assert!(
                    at_home || !mentions(&code, technology),
                    "{} names {technology}",
                    path.display()
                );
            }
        }
    }
}

/// Whether a file of the source contains only tests.
fn is_of_tests(path: &Path) -> bool {
    path.iter()
        .any(|part| part == "tests" || part == "tests.rs")
}

#[test]
fn files_are_short_enough_to_read() {
    for (folder, most) in [("src", 400), ("web", 400), ("tests", 400)] {
        for path in files(&root().join(folder), &["rs", "js", "css"]) {
            if folder == "src" && is_of_tests(&path) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // Only the module of tests ends the code. Another `cfg(test)` may be at the top, where
            // a module is declared.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let lines = code.lines().count();
            assert!(lines <= most, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn every_code_verb_flag_and_limit_is_in_the_documentation() {
    let (api, operate) = (docs::page("docs/api.md"), docs::page("docs/operate.md"));
    for code in rejoin::error::Code::ALL {
        assert!(
            api.contains(&format!("`{}`", code.name())),
            "docs/api.md does not mention {}",
            code.name()
        );
    }
    let limits = docs::page("docs/limits.md");
    for limit in rejoin::audit::Limit::ALL {
        assert!(
            limits.contains(&format!("`{}`", limit.name())),
            "docs/limits.md does not mention {}",
            limit.name()
        );
    }
    for verb in rejoin::irc::command::verbs() {
        assert!(
            api.contains(&format!("`{}", verb.name)),
            "docs/api.md does not mention {}",
            verb.name
        );
    }
    for flag in flags(&<rejoin::config::Config as clap::CommandFactory>::command()) {
        assert!(
            operate.contains(&format!("`--{flag}")) || operate.contains(&format!(" --{flag}")),
            "docs/operate.md does not mention --{flag}"
        );
    }
}

#[tokio::test]
async fn every_metric_is_explained_in_the_documentation() {
    let server = TestServer::start().await;
    let visitor = server.device();
    // A metric has a line only once it has counted something.
    visitor
        .login("nobody", "correct horse battery")
        .await
        .unwrap_err();
    let request = visitor.request(reqwest::Method::GET, "/metrics");
    let metrics = request.send().await.unwrap().text().await.unwrap();
    let page = docs::page("docs/operate.md");
    let kinds: Vec<_> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    assert!(kinds.len() >= 12, "{metrics}");
    for (name, kind) in kinds {
        let shown = if kind == "counter" { "_total" } else { "" };
        let row = page.lines().find(|line| {
            line.strip_prefix(&format!("| `{name}{shown}"))
                .is_some_and(|rest| rest.starts_with(['`', '{']))
        });
        let row = row.unwrap_or_else(|| panic!("docs/operate.md does not explain {name}"));
        assert!(row.contains(&format!("| {kind} |")), "{row}: {kind}");
    }
}

/// A link within the documentation leads to a file that exists, and to a heading of that file.
#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    for (path, page) in docs::pages() {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for link in page.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = match file {
                "" => root().join(&path),
                file => folder.join(file),
            };
            assert!(file.exists(), "{path}: {link}");
            if !heading.is_empty() {
                let page = fs::read_to_string(&file).unwrap();
                assert!(
                    anchors(&page).any(|anchor| anchor == heading),
                    "{path}: {link}"
                );
            }
        }
    }
}

/// Files and folders of the repository that the documentation names exist.
#[test]
fn every_path_in_the_documentation_exists() {
    for (page, text) in docs::pages() {
        for folder in ["src/", "tests/", "examples/", "docs/"] {
            for rest in text.split(&format!("`{folder}")).skip(1) {
                let path = format!("{folder}{}", rest.split('`').next().unwrap());
                assert!(root().join(&path).exists(), "{page}: {path}");
            }
        }
    }
}

/// The anchors of a page's headings, as GitHub generates them.
fn anchors(page: &str) -> impl Iterator<Item = String> {
    let headings = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim());
    headings.map(|heading| {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    })
}

/// The flags of a command and of its subcommands.
fn flags(command: &clap::Command) -> Vec<String> {
    let own = command
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .map(str::to_owned);
    own.chain(command.get_subcommands().flat_map(flags))
        .collect()
}

/// The documentation says why each dependency is there.
#[test]
fn every_dependency_is_in_the_documentation() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let page = docs::page("docs/architecture.md");
    let told: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| "))
        .flat_map(|line| line.split([' ', ',']))
        .collect();
    let sections = manifest
        .split("\n[")
        .filter(|section| section.split(']').next().unwrap().ends_with("dependencies"));
    let names = sections
        .flat_map(|section| section.lines().skip(1))
        .filter_map(|line| line.split_once(" = "));
    for (name, _) in names {
        assert!(
            told.contains(&name),
            "docs/architecture.md does not say why {name} is there"
        );
    }
}

/// The bytes that a request adds to the disk count for the caller's network. So each statement that
/// inserts is beside a count.
#[test]
fn every_row_that_is_added_is_counted() {
    let modules = modules();
    for (path, code) in &modules["store"] {
        // These files write the server's own rows, and the marks for the sweep, whose rows were
        // counted when they were added.
        if [
            "migrate.rs",
            "key_file.rs",
            "sweep.rs",
            "cost.rs",
            "tests.rs",
        ]
        .iter()
        .any(|name| path.ends_with(name))
        {
            continue;
        }
        let counted = code.matches(".add_row(").count();
        // An event is one row, and one count covers all of its addresses.
        let inserted =
            code.matches("INSERT ").count() - code.matches("INSERT INTO address").count();
        assert!(
            inserted <= counted,
            "{}: {inserted} statements insert, {counted} count",
            path.display()
        );
    }
}
