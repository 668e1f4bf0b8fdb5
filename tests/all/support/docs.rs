//! The documentation, for the tests that run its snippets.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The repository's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The text of a documentation page, by its path from the repository's folder.
pub fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// All pages, each with its path from the repository's folder.
pub fn pages() -> Vec<(String, String)> {
    let folder = fs::read_dir(root().join("docs")).unwrap();
    let mut paths: Vec<_> = folder
        .map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()))
        .chain(["README.md".into(), "CHANGELOG.md".into()])
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), page(&path)))
        .collect()
}

/// A fenced block of code.
pub struct Block {
    /// The text after the fence: the language, and a name if a test runs the block.
    pub info: String,
    pub code: String,
}

/// The fenced blocks of a page, without the indentation of a list around them.
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None::<(Block, usize)>);
    for line in page.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(info)) => {
                let info = info.to_owned();
                let code = String::new();
                let indent = line.len() - line.trim_start().len();
                open = Some((Block { info, code }, indent));
            }
            (Some(_), Some(_)) => blocks.extend(open.take().map(|(block, _)| block)),
            (Some((block, indent)), None) => {
                block.code += line.get(*indent..).unwrap_or_default();
                block.code += "\n";
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The block with this language and name, such as `bash tour`. A language alone is enough if it has
/// only one block.
pub fn snippet(info: &str) -> String {
    let all = pages().into_iter().flat_map(|(_, page)| blocks(&page));
    let mut found: Vec<_> = all.filter(|block| block.info == info).collect();
    assert_eq!(found.len(), 1, "blocks of {info:?}");
    found.remove(0).code
}

/// A bash command that runs a script in a folder, like a reader's. The program is in its path and
/// the server's database in its environment.
pub fn bash(script: &str, folder: &Path, database: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_rejoin")).parent().unwrap();
    let path = env::var("PATH").unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("set -euo pipefail\n{script}")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", program.display()))
        .env("REJOIN_DATABASE", database);
    bash
}

/// Replaces a text. Asserts that it is there.
pub fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in {text}");
    text.replace(from, to)
}
