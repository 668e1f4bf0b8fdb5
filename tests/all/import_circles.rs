//! No two files under `src` import each other, directly or through other files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The files that are in a circle today. The list may only get shorter.
const KNOWN: &[&str] = &[];

/// A module's path from the top of the crate.
type Module = Vec<String>;
/// An import or a path within code: whether it is re-exported, and the path.
type Import = (bool, Module);

struct File {
    path: PathBuf,
    imports: Vec<Import>,
}

struct Sources(BTreeMap<Module, File>);

impl Sources {
    fn read() -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut files, mut folders) = (BTreeMap::new(), vec![src.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&src).unwrap().with_extension("");
                let mut module: Module = name
                    .iter()
                    .map(|part| part.to_str().unwrap().to_owned())
                    .collect();
                // The binary is a crate of its own. Tests may import anything.
                if module == ["main"] || module.last().unwrap() == "tests" {
                    continue;
                }
                if ["mod", "lib"].contains(&module.last().unwrap().as_str()) {
                    module.pop();
                }
                let imports = imports(&fs::read_to_string(&path).unwrap());
                let path = path.strip_prefix(&src).unwrap().to_owned();
                files.insert(module, File { path, imports });
            }
        }
        Self(files)
    }

    /// The absolute path of a path that a module names.
    fn absolute(&self, from: &Module, path: &[String]) -> Option<Module> {
        let mut base = from.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (vec![], &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            // The name of a crate, or of a module that is declared here.
            child => {
                let mut module = from.clone();
                module.push(child.to_owned());
                self.0.get(&module)?;
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// The file that defines the name of a path. A re-exported name belongs to the file it comes
    /// from.
    fn home(&self, path: &Module, depth: usize) -> Option<Module> {
        let known = (0..=path.len())
            .rev()
            .find(|&len| self.0.contains_key(&path[..len]))?;
        let (module, rest) = path.split_at(known);
        let module = module.to_vec();
        let Some(name) = rest.first().filter(|_| depth < 8) else {
            return Some(module);
        };
        let exports = self.0[&module].imports.iter().filter(|(public, _)| *public);
        for (_, exported) in exports {
            if exported.last() == Some(name) {
                let origin = self.absolute(&module, exported)?;
                return self.home(&origin, depth + 1);
            }
        }
        Some(module)
    }

    /// The modules that each module imports.
    fn graph(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let edges = self.0.iter().map(|(module, file)| {
            let used = file.imports.iter().filter(|(public, _)| !public);
            let homes = used
                .filter_map(|(_, path)| self.home(&self.absolute(module, path)?, 0))
                .filter(|home| home != module && !home.is_empty());
            (module, homes.collect())
        });
        edges.collect()
    }
}

/// The imports of a file: each `use`, and each path in its code that begins with `crate`, `super`
/// or `self`. Unit tests and comments do not count.
fn imports(text: &str) -> Vec<Import> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let code: String = code
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    let mut rest = String::new();
    for statement in code.split_inclusive(';') {
        let head = statement
            .find("use ")
            .filter(|&at| at == 0 || statement[..at].ends_with([' ', '\n']));
        let is_use = head.filter(|&at| {
            let line = statement[..at].rsplit('\n').next().unwrap().trim();
            line.is_empty() || line.starts_with("pub")
        });
        let Some(at) = is_use else {
            rest.push_str(statement);
            continue;
        };
        rest.push_str(&statement[..at]);
        let public = statement[..at].trim_end().rsplit('\n').next().unwrap();
        let public = public.trim().starts_with("pub");
        let tree = statement[at + 4..].trim_end_matches(';');
        expand(&[], tree, &mut |path| found.push((public, path)));
    }
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in rest.match_indices(start) {
            let before = rest[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let end = rest[at..]
                .find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                .map_or(rest.len(), |end| at + end);
            let path = rest[at..end].split("::").filter(|part| !part.is_empty());
            found.push((false, path.map(str::to_owned).collect()));
        }
    }
    found
}

/// Every path of a tree of imports. A path with `as` has its original name.
fn expand(prefix: &[String], tree: &str, found: &mut impl FnMut(Module)) {
    let mut depth = 0;
    let branches = tree.split(|c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    for branch in branches.map(str::trim).filter(|branch| !branch.is_empty()) {
        let (path, inner) = match branch.split_once('{') {
            Some((path, inner)) => (path, inner.strip_suffix('}')),
            None => (branch, None),
        };
        let path = path.split(" as ").next().unwrap();
        let names = path.split("::").map(str::trim);
        let mut whole = prefix.to_vec();
        whole.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        if let Some(inner) = inner {
            expand(&whole, inner, found);
            continue;
        }
        if whole.len() > 1 && whole.last().is_some_and(|name| name == "self") {
            whole.pop();
        }
        found(whole);
    }
}

/// The circles: modules that reach themselves.
fn in_circles(graph: &BTreeMap<&Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let reach = |from: &Module| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = next.pop() {
            for other in graph.get(&module).into_iter().flatten() {
                if seen.insert(other.clone()) {
                    next.push(other.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, _> = graph
        .keys()
        .map(|module| (*module, reach(module)))
        .collect();
    let mut circles = BTreeSet::new();
    for (module, others) in &reached {
        if others.contains(*module) {
            let both = others.iter().filter(|other| {
                reached
                    .get(other)
                    .is_some_and(|back| back.contains(*module))
            });
            circles.insert(both.cloned().collect::<Vec<_>>());
        }
    }
    circles.into_iter().collect()
}

#[test]
fn no_files_import_each_other() {
    let sources = Sources::read();
    let circles = in_circles(&sources.graph());
    let name = |module: &Module| sources.0[module].path.display().to_string();
    let circles: Vec<Vec<String>> = circles
        .iter()
        .map(|circle| circle.iter().map(name).collect())
        .collect();
    let found: BTreeSet<&str> = circles.iter().flatten().map(String::as_str).collect();
    let known: BTreeSet<&str> = KNOWN.iter().copied().collect();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "{new:#?} are in circles: {circles:#?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(
        gone.is_empty(),
        "no longer in a circle, take them off the list: {gone:#?}"
    );
}

#[test]
fn imports_are_read_in_every_form() {
    let code = "use crate::{a::{self, b::C}, d};\npub use e::F;\nfn f() { super::g::h() }\n// use crate::no;\n";
    let path = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        imports(code),
        [
            (false, path("crate::a")),
            (false, path("crate::a::b::C")),
            (false, path("crate::d")),
            (true, path("e::F")),
            (false, path("super::g::h")),
        ]
    );
}

#[test]
fn a_circle_of_three_is_found_and_a_line_is_not() {
    let module = |name: &str| vec![name.to_owned()];
    let names = ["a", "b", "c", "d"].map(module);
    let graph = [(0, 1), (1, 2), (2, 0), (3, 0)]
        .map(|(from, to): (usize, usize)| (&names[from], BTreeSet::from([names[to].clone()])));
    assert_eq!(in_circles(&graph.into()), [names[..3].to_vec()]);
}
