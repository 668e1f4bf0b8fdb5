//! The source of the server, as the rules of the project read it: without its tests.

use std::{
    collections::BTreeSet,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use super::docs::root;

/// A file under `src` that holds more than tests.
pub struct SourceFile {
    /// Its path from `src`.
    pub path: PathBuf,
    /// The path of its module from the top of the crate.
    pub module: Vec<String>,
    /// What it holds apart from tests.
    pub text: String,
}

impl SourceFile {
    /// The text without comments.
    pub fn code(&self) -> String {
        without_comments(&self.text)
    }

    /// The text with spaces in place of comments and texts in quotes.
    pub fn skeleton(&self) -> String {
        skeleton(&self.text)
    }
}

/// All files under `src`, apart from those that hold nothing but tests: those that are called
/// `tests`, and those whose module is declared for tests alone.
pub fn source_files() -> &'static [SourceFile] {
    static FILES: LazyLock<Vec<SourceFile>> = LazyLock::new(read);
    &FILES
}

fn read() -> Vec<SourceFile> {
    let src = root().join("src");
    let (mut files, mut folders, mut of_tests) = (Vec::new(), vec![src.clone()], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&src).unwrap().to_owned();
                let module = module(&path);
                for name in modules_of_tests(&text) {
                    of_tests.insert([module.as_slice(), &[name]].concat());
                }
                let text = without_tests(&text);
                files.push(SourceFile { path, module, text });
            }
        }
    }
    files.retain(|file| {
        let mut parents = (0..=file.module.len()).map(|length| &file.module[..length]);
        let is_of_tests = |module: &[String]| {
            of_tests.contains(module) || module.last().is_some_and(|name| name == "tests")
        };
        !parents.any(is_of_tests)
    });
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// The path of the module in a file.
fn module(path: &Path) -> Vec<String> {
    let path = path.with_extension("");
    let mut module: Vec<_> = path
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    if ["mod", "lib"].contains(&module.last().unwrap().as_str()) {
        module.pop();
    }
    module
}

const OF_TESTS: &str = "#[cfg(test)]";

/// A text without what is compiled for tests alone.
pub fn without_tests(text: &str) -> String {
    let (mut kept, mut from) = (String::new(), 0);
    for item in items_of_tests(text) {
        kept.push_str(&text[from..item.start]);
        from = item.end;
    }
    kept + &text[from..]
}

/// Where the items are that are compiled for tests alone, each with its whole lines.
fn items_of_tests(text: &str) -> Vec<Range<usize>> {
    let skeleton = skeleton(text);
    let (mut items, mut from) = (Vec::<Range<usize>>::new(), 0);
    while let Some(at) = skeleton[from..].find(OF_TESTS).map(|at| from + at) {
        let start = skeleton[..at].rfind('\n').map_or(0, |end| end + 1);
        let end = end_of_item(&skeleton, at + OF_TESTS.len());
        let rest = &skeleton[end..];
        from = end
            + rest
                .find('\n')
                .filter(|&end| rest[..end].trim().is_empty())
                .map_or(0, |end| end + 1);
        items.push(start..from);
    }
    items
}

/// Where the item ends whose attributes go on here: at its `;`, or at the brace that closes it.
fn end_of_item(skeleton: &str, from: usize) -> usize {
    let head = &skeleton[from..];
    let head = &head[..head.find(['{', ';']).unwrap_or(head.len())];
    let words: Vec<_> = head.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    let ends_with_brace =
        !has("use") && (has("fn") || !["const", "static", "type"].iter().any(|word| has(word)));
    let mut depth = 0;
    for (at, c) in skeleton[from..].char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        assert!(
            depth >= 0,
            "a field or a variant for tests alone is not understood"
        );
        if depth == 0 && (c == ';' || c == '}' && ends_with_brace) {
            return from + at + 1;
        }
    }
    skeleton.len()
}

/// The names of the modules in other files that are declared for tests alone.
fn modules_of_tests(text: &str) -> Vec<String> {
    let items = items_of_tests(text).into_iter();
    let names = items.filter_map(|item| {
        let item = skeleton(&text[item]);
        let (_, name) = item.trim_end().strip_suffix(';')?.rsplit_once("mod ")?;
        Some(name.to_owned())
    });
    names.collect()
}

/// What a part of a text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    /// In quotes of either kind.
    Quoted,
    Comment,
}

/// A text without comments.
fn without_comments(text: &str) -> String {
    let parts = parts(text).into_iter();
    let kept = parts.filter(|(kind, _)| *kind != Kind::Comment);
    kept.map(|(_, range)| &text[range]).collect()
}

/// A text of the same length, with spaces in place of comments and of what is in quotes.
fn skeleton(text: &str) -> String {
    let mut skeleton = String::with_capacity(text.len());
    for (kind, range) in parts(text) {
        let part = &text[range];
        if kind == Kind::Code {
            skeleton.push_str(part);
        } else {
            skeleton.extend(
                part.bytes()
                    .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
            );
        }
    }
    skeleton
}

/// The parts of a text, in order.
fn parts(text: &str) -> Vec<(Kind, Range<usize>)> {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let begins_word = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let special = comment(rest)
            .map(|length| (Kind::Comment, length))
            .or_else(|| quoted(rest, begins_word).map(|length| (Kind::Quoted, length)));
        let Some((kind, length)) = special else {
            at += rest.chars().next().unwrap().len_utf8();
            continue;
        };
        parts.extend([(Kind::Code, from..at), (kind, at..at + length)]);
        at += length;
        from = at;
    }
    parts.push((Kind::Code, from..at));
    parts
}

/// The length of the comment with which a text begins.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*")
        .then(|| text.find("*/").map_or(text.len(), |end| end + 2))
}

/// The length of the text or the character in quotes with which a text begins.
fn quoted(text: &str, begins_word: bool) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r').filter(|_| begins_word) {
        let signs = raw.len() - raw.trim_start_matches('#').len();
        if raw[signs..].starts_with('"') {
            let (begin, end) = (signs + 2, format!("\"{}", "#".repeat(signs)));
            return Some(
                text[begin..]
                    .find(&end)
                    .map_or(text.len(), |at| begin + at + end.len()),
            );
        }
    }
    let quote = text.chars().next().filter(|c| ['"', '\''].contains(c))?;
    // A lifetime has no quote at its end.
    let mut inner = text[1..].chars();
    if quote == '\'' && inner.next() != Some('\\') && inner.next() != Some('\'') {
        return None;
    }
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

#[test]
fn what_is_for_tests_alone_is_left_out_and_nothing_else() {
    let text = r##"
#[cfg(test)]
mod names;
use a::B;
#[cfg(test)]
pub use a::{C, D};
fn f<'a>(x: &'a str) -> char { /* } */ let c = '}'; "#[cfg(test)] }"; r#"" } "#; c }
impl B {
    /// Kept.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        "}".len() // }
    }
    fn kept(&self) {}
}
#[cfg(test)]
const NAMES: [B; 2] = [B {}, B {}];
#[cfg(test)]
mod tests {
    fn t() {}
}
fn last() {}
"##;
    let left = r##"
use a::B;
fn f<'a>(x: &'a str) -> char { /* } */ let c = '}'; "#[cfg(test)] }"; r#"" } "#; c }
impl B {
    /// Kept.
    fn kept(&self) {}
}
fn last() {}
"##;
    assert_eq!(without_tests(text), left);
    assert_eq!(modules_of_tests(text), ["names"]);
    let code = "let a = \"//\"; // no\nlet b = 'x';";
    assert_eq!(without_comments(code), "let a = \"//\"; \nlet b = 'x';");
    assert_eq!(skeleton(code), "let a =     ;      \nlet b =    ;");
}
