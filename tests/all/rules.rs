//! The project's own rules as tests: the layers, the completeness of the documentation, the length
//! of files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::support::{
    TestServer, docs,
    docs::root,
    imports::{Imports, Module},
    source::source_files,
};

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
    let mut modules = BTreeMap::<_, Vec<_>>::new();
    for file in source_files() {
        if let Some(name) = file.module.first() {
            let path = root().join("src").join(&file.path);
            let of_module = modules.entry(name.clone()).or_default();
            of_module.push((path, file.code()));
        }
    }
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
    let layer = |module: &Module| {
        let name = module[0].as_str();
        let found = LAYERS.iter().position(|layer| layer.contains(&name));
        found.unwrap_or_else(|| panic!("{name} is in no layer"))
    };
    let imports = Imports::read();
    for (module, file) in imports.0.iter().filter(|(module, _)| !module.is_empty()) {
        for other in imports.used_by(module, true) {
            assert!(
                layer(&other) < layer(module) || other[0] == module[0],
                "{} imports {}",
                file.path.display(),
                other.join("::")
            );
        }
    }
}

/// The modules above the store would be the same with another engine. The module `engine` is
/// private to the store, so that they cannot import from it.
#[test]
fn nothing_above_the_store_names_an_engine() {
    for file in source_files() {
        if file.module.first().is_some_and(|module| module == "store") {
            continue;
        }
        let code = file.skeleton().to_ascii_lowercase();
        assert!(!code.contains("sqlite"), "{}", file.path.display());
        assert!(!code.contains("store::engine"), "{}", file.path.display());
    }
    let store = root().join("src/store/mod.rs");
    let store = fs::read_to_string(store).unwrap();
    assert!(store.contains("\nmod engine;\n"), "the engine is private");
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

#[test]
fn files_are_short_enough_to_read() {
    let others = ["web", "tests"].map(|folder| files(&root().join(folder), &["rs", "js", "css"]));
    let others = others.into_iter().flatten().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    });
    let sources = source_files()
        .iter()
        .map(|file| (file.path.clone(), file.text.clone()));
    for (path, text) in sources.chain(others) {
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines", path.display());
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
        if ["migrate.rs", "key_file.rs", "sweep.rs"]
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
