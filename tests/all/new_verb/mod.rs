//! A new verb is a small change in two files. A patch beside this file adds one, with its own
//! tests. These tests count the lines of the patch, apply it to a copy of the source, and run its
//! tests.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::docs::root;

/// Adds ISON (RFC 2812 §4.9): its command, row, parser, numeric, handler, two tests, and its place
/// in the documentation.
const PATCH: &str = "tests/all/new_verb/ison.patch";

/// What to do if the patch no longer fits the source.
const RENEW: &str = "To renew the patch: commit your own changes, run
    git apply --reject tests/all/new_verb/ison.patch
make the changes of each .rej file by hand and delete that file, then run
    cargo fmt && cargo test --lib ison
    git diff -U1 -- docs src > tests/all/new_verb/ison.patch
    git checkout -- docs src";

/// The parts of the copy: everything that the library is compiled from, and the files that
/// Cargo.toml names.
const SOURCES: [&str; 7] = [
    "Cargo.lock",
    "Cargo.toml",
    "docs",
    "schema.sql",
    "src",
    "tests/all",
    "web",
];

#[test]
fn a_new_verb_changes_two_files() {
    let changes = run(git()
        .args(["apply", "--numstat", PATCH])
        .current_dir(root()));
    assert!(changes.status.success(), "{}", text(&changes));
    let mut source = Vec::new();
    let mut added = 0;
    for line in text(&changes).lines() {
        let [lines_added, _, path] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("git apply --numstat says {line}");
        };
        if path.starts_with("src/") {
            source.push(path.to_owned());
            added += lines_added.parse::<usize>().unwrap();
        } else {
            assert_eq!(path, "docs/api.md", "{PATCH} changes another file");
        }
    }
    let family = ["src/chat/commands/lookup.rs", "src/irc/verbs/lookup.rs"];
    assert_eq!(source, family);
    // The tests of the verb are more than half of it.
    assert!(added <= 80, "the patch adds {added} lines to the source");
}

#[test]
fn a_new_verb_compiles_and_passes_its_tests() {
    let copy = copy_of_the_source();
    let patch = root().join(PATCH);
    let applied = run(git().arg("apply").arg(&patch).current_dir(&copy));
    assert!(
        applied.status.success(),
        "{PATCH} does not apply:\n{}\n{RENEW}",
        text(&applied)
    );
    // The target folder of this test already has the compiled dependencies.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let tested = run(Command::new(env!("CARGO"))
        .args(["test", "--locked", "--offline", "--lib", "--target-dir"])
        .arg(target)
        .args(["--", "ison", "irc::command::"])
        .current_dir(&copy));
    let output = text(&tested);
    assert!(
        tested.status.success(),
        "{PATCH} does not compile, or its tests fail:\n{output}\n{RENEW}"
    );
    for test in [
        "irc::verbs::lookup::tests::ison_takes_its_nicks_from_all_parameters_and_at_most_twenty",
        "chat::commands::lookup::tests::ison_tells_which_nicks_are_in_use",
        "irc::command::tests::the_table_has_every_verb_once",
        "irc::command::tests::numerics_have_three_digits_and_appear_once",
    ] {
        assert!(output.contains(&format!("test {test} ... ok")), "{output}");
    }
}

/// A fresh copy of the source. It always has the same path, so that a second run compiles only what
/// has changed since the first.
///
/// The copy has a version of its own. Packages of the same name and version share their files in
/// the target folder, so the source's own tests would otherwise be those with the verb.
fn copy_of_the_source() -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new_verb");
    if copy.exists() {
        fs::remove_dir_all(&copy).unwrap();
    }
    for source in SOURCES {
        copy_all(&root().join(source), &copy.join(source));
    }
    // Cargo needs the files of every target in Cargo.toml.
    let bench = "tests/bench/main.rs";
    copy_all(&root().join(bench), &copy.join(bench));
    let named = |version: &str| format!("name = \"rejoin\"\nversion = \"{version}\"\n");
    let version = env!("CARGO_PKG_VERSION");
    for file in ["Cargo.lock", "Cargo.toml"].map(|file| copy.join(file)) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(&named(version)), "{}", file.display());
        let text = text.replace(&named(version), &named(&format!("{version}-new-verb")));
        fs::write(&file, text).unwrap();
    }
    copy
}

/// Copies a file, or a folder with everything in it.
fn copy_all(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy_all(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

/// Git, told that the copy is in no repository. Otherwise it would look for the files of the patch
/// at the top of the repository, and skip those of the copy.
fn git() -> Command {
    let mut git = Command::new("git");
    git.env("GIT_CEILING_DIRECTORIES", env!("CARGO_TARGET_TMPDIR"));
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(variable);
    }
    git
}

fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{}: {error}", OsStr::display(&program)))
}

/// The whole output of a command.
fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}
