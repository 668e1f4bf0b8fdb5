//! Which files under `src` import which: what each name in their code leads to.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::source::source_files;

/// A module's path from the top of the crate, or the path of something in it.
pub type Module = Vec<String>;

/// The most steps in which a name leads to where it is defined.
const STEPS: usize = 8;

/// One name that a `use` brings in.
#[derive(Debug, PartialEq, Eq)]
pub struct Import {
    /// Whether others can import it from here.
    public: bool,
    /// What it is called here.
    name: String,
    path: Module,
}

/// The imports of a file.
pub struct File {
    /// Its path from `src`.
    pub path: PathBuf,
    imports: Vec<Import>,
    /// The paths and names in its code, apart from imports.
    mentioned: BTreeSet<Module>,
    /// The names that it defines.
    defined: BTreeSet<String>,
}

/// The files of the crate, by their modules.
pub struct Imports(pub BTreeMap<Module, File>);

impl Imports {
    /// Reads all files under `src`, apart from tests and from the binary, which is a crate of its
    /// own.
    pub fn read() -> Self {
        let files = source_files().iter();
        let files = files.filter(|file| file.module != ["main"]);
        let read = files.map(|file| {
            let (imports, rest) = imports(&file.skeleton());
            let (mentioned, defined) = (mentioned(&rest), defined(&rest));
            let (path, module) = (file.path.clone(), file.module.clone());
            let file = File {
                path,
                imports,
                mentioned,
                defined,
            };
            (module, file)
        });
        Self(read.collect())
    }

    /// The path from the top of the crate that is meant by a path in a module. `None`: it leads to
    /// another crate, or to a local name.
    fn absolute(&self, from: &Module, path: &[String], steps: usize) -> Option<Module> {
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
            first => {
                let imported = self.imported(from, first).filter(|import| *import != path);
                if let (Some(import), 1..) = (imported, steps) {
                    let path = [import, &path[1..]].concat();
                    return self.absolute(from, &path, steps - 1);
                }
                // A module that is declared here, or a crate.
                let module = [from.as_slice(), &path[..1]].concat();
                self.0.get(&module)?;
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// The path that a module imports under this name.
    fn imported(&self, module: &Module, name: &str) -> Option<&[String]> {
        let imports = &self.0.get(module)?.imports;
        let import = imports.iter().find(|import| import.name == name);
        import.map(|import| import.path.as_slice())
    }

    /// The module of the file that defines what a path names, however often it is exported again.
    fn home(&self, path: &Module, steps: usize) -> Option<Module> {
        let known = (0..=path.len())
            .rev()
            .find(|&length| self.0.contains_key(&path[..length]))?;
        let (module, rest) = path.split_at(known);
        let module = module.to_vec();
        let Some(name) = rest.first().filter(|_| steps > 0) else {
            return Some(module);
        };
        if self.0[&module].defined.contains(name) {
            return Some(module);
        }
        let Some(import) = self.imported(&module, name) else {
            return Some(module);
        };
        let path = [import, &rest[1..]].concat();
        self.home(&self.absolute(&module, &path, STEPS)?, steps - 1)
    }

    /// The modules of the files that a module's file uses. With `exports`, those too whose names it
    /// exports again without using them.
    pub fn used_by(&self, module: &Module, exports: bool) -> BTreeSet<Module> {
        let file = &self.0[module];
        let imported = file.imports.iter().filter(|import| {
            exports || !import.public || file.mentioned.contains(&vec![import.name.clone()])
        });
        // A name alone is local, or an import.
        let paths = file.mentioned.iter().filter(|path| path.len() > 1);
        imported
            .map(|import| &import.path)
            .chain(paths)
            .filter_map(|path| self.home(&self.absolute(module, path, STEPS)?, STEPS))
            .filter(|home| home != module && !home.is_empty())
            .collect()
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The imports of a file, and its code without them.
pub fn imports(code: &str) -> (Vec<Import>, String) {
    let (mut found, mut rest, mut from) = (Vec::new(), String::new(), 0);
    for (at, keyword) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap().trim();
        let is_public = line == "pub" || line.starts_with("pub(") && line.ends_with(')');
        if at < from || !line.is_empty() && !is_public {
            continue;
        }
        rest.push_str(&code[from..at]);
        from = code[at..].find(';').map_or(code.len(), |end| at + end + 1);
        let tree = code[at + keyword.len()..from].trim_end_matches(';');
        expand(&[], tree, &mut |path, name| {
            found.push(Import {
                public: is_public,
                name,
                path,
            });
        });
    }
    rest.push_str(&code[from..]);
    (found, rest)
}

/// Every path of a tree of imports, and what it is called.
fn expand(prefix: &[String], tree: &str, found: &mut impl FnMut(Module, String)) {
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
        let (path, other_name) = match path.split_once(" as ") {
            Some((path, name)) => (path, Some(name.trim().to_owned())),
            None => (path, None),
        };
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
        let name = other_name.unwrap_or_else(|| whole.last().unwrap().clone());
        found(whole, name);
    }
}

/// The paths and names in this code. What follows a point is a field or a method.
fn mentioned(code: &str) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    let mut from = 0;
    while let Some(begin) = code[from..].find(is_of_name).map(|at| from + at) {
        let rest = &code[begin..];
        let end = rest.find(|c: char| !is_of_name(c) && c != ':');
        from = begin + end.unwrap_or(rest.len());
        if code[..begin].ends_with('.') && !code[..begin].ends_with("..") {
            continue;
        }
        let path = code[begin..from].split("::");
        let path = path.map(|part| part.trim_matches(':').to_owned());
        found.insert(path.filter(|part| !part.is_empty()).collect());
    }
    found
}

/// The names that this code defines.
fn defined(code: &str) -> BTreeSet<String> {
    const KEYWORDS: &[&str] = &[
        "fn", "struct", "enum", "trait", "type", "const", "static", "mod",
    ];
    let words: Vec<_> = code
        .split(|c: char| !is_of_name(c))
        .filter(|word| !word.is_empty())
        .collect();
    let pairs = words.windows(2);
    let defined = pairs.filter(|pair| KEYWORDS.contains(&pair[0]));
    defined.map(|pair| pair[1].to_owned()).collect()
}

#[test]
fn imports_are_read_however_they_are_written() {
    let code = "use crate::{a::{self, b::C}, d as e};\npub use e::F;\n\
                fn f() { super::g::h(a::k::L { x: m.n.o }) }\npause use_it\n";
    let path = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    let import = |public, name: &str, of: &str| Import {
        public,
        name: name.to_owned(),
        path: path(of),
    };
    let (found, rest) = imports(code);
    assert_eq!(
        found,
        [
            import(false, "a", "crate::a"),
            import(false, "C", "crate::a::b::C"),
            import(false, "e", "crate::d"),
            import(true, "F", "e::F"),
        ]
    );
    let paths = [
        "a::k::L",
        "f",
        "fn",
        "m",
        "pause",
        "pub",
        "super::g::h",
        "use_it",
        "x",
    ];
    assert_eq!(mentioned(&rest), paths.map(path).into());
    assert_eq!(defined(&rest), ["f".to_owned()].into());
}

#[test]
fn names_lead_to_the_file_that_defines_them() {
    let files = [
        (
            "a",
            "pub mod b;\npub use b::deep as other;\nuse b::hidden;\n",
        ),
        (
            "a::b",
            "use super::c;\nfn deep() { c::d::touch() }\nfn hidden() {}\n",
        ),
        ("a::c", "pub mod d;\n"),
        ("a::c::d", "use crate::a::other;\nfn touch() { other() }\n"),
        ("e", "use crate::a;\nfn f() { a::hidden(); std::g() }\n"),
    ];
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
    let files = files.map(|(path, code)| {
        let (imports, rest) = imports(code);
        let file = File {
            path: path.into(),
            imports,
            mentioned: mentioned(&rest),
            defined: defined(&rest),
        };
        (module(path), file)
    });
    let imports = Imports(files.into());
    let used = |path: &str| imports.used_by(&module(path), false);
    assert_eq!(used("a::b"), ["a::c", "a::c::d"].map(module).into());
    assert_eq!(used("a::c::d"), [module("a::b")].into());
    assert_eq!(used("e"), ["a", "a::b"].map(module).into());
}
