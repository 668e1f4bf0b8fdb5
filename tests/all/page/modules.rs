//! The rules for the page's modules in `web/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each folder, and the folders that its modules may import.
const LAYERS: &[(&str, &[&str])] = &[
    ("vendor", &["vendor"]),
    ("core", &["core"]),
    ("ui", &["ui", "core", "vendor"]),
    ("pages", &["ui", "core"]),
    // The entry and the service worker are at the top.
    ("", &["pages", "ui", "core"]),
];

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web")
}

/// The text of every module, by its path below `web/`.
fn modules() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![web()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "js") {
                let name = path.strip_prefix(web()).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The first folder of a path, or an empty string for a file at the top.
fn folder(path: &str) -> &str {
    path.split_once('/').map_or("", |(folder, _)| folder)
}

/// The modules that a module imports, statically or dynamically.
fn imports(path: &str, text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with("//") && !line.starts_with('*') && !line.starts_with("/**")
    });
    let code = code.collect::<Vec<_>>().join("\n");
    let specifiers = ["from \"", "from\"", "import(\"", "import \"", "import\""]
        .iter()
        .flat_map(|opening| code.split(opening).skip(1))
        .map(|rest| rest.split('"').next().unwrap());
    specifiers
        .map(|specifier| resolve(path, specifier))
        .collect()
}

/// The path below `web/` of an imported module.
fn resolve(path: &str, specifier: &str) -> String {
    assert!(
        specifier.starts_with("./") || specifier.starts_with("../"),
        "{path} imports {specifier}: a browser resolves no bare names"
    );
    let mut parts: Vec<_> = path.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[test]
fn modules_import_only_lower_layers() {
    let modules = modules();
    for (path, text) in &modules {
        let (_, below) = LAYERS
            .iter()
            .find(|(layer, _)| *layer == folder(path))
            .unwrap_or_else(|| panic!("{path} is in no layer"));
        for import in imports(path, text) {
            assert!(modules.contains_key(&import), "{path} imports {import}");
            assert!(below.contains(&folder(&import)), "{path} imports {import}");
        }
    }
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let modules = modules();
    let graph: BTreeMap<_, _> = modules
        .iter()
        .map(|(path, text)| (path.as_str(), imports(path, text)))
        .collect();
    for start in graph.keys() {
        let mut reached = BTreeSet::new();
        let mut queue = graph[start].clone();
        while let Some(path) = queue.pop() {
            assert_ne!(path, *start, "{start} is in a circle");
            if reached.insert(path.clone()) {
                queue.extend(graph[path.as_str()].clone());
            }
        }
    }
}

/// An import without names runs a module for its side effects. The page's modules do nothing until
/// `app.js` calls them.
#[test]
fn no_import_is_without_names_and_every_module_is_type_checked() {
    for (path, text) in modules() {
        if folder(&path) == "vendor" {
            continue;
        }
        assert!(text.starts_with("// @ts-check\n"), "{path}");
        let bare = text
            .lines()
            .find(|line| line.starts_with("import \"") || line.starts_with("import '"));
        assert_eq!(bare, None, "{path}");
    }
}
