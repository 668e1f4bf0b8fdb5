//! The rule that the store has one dialect: SQLite and PostgreSQL both accept the text of each
//! statement, and only the engine names SQLite's library.

use std::{fs, path::Path};

use crate::{rules::modules, support::docs::root};

/// The files above the engine that work on SQLite's files themselves. Each says why.
const ON_FILES: &[&str] = &["src/store/migrate.rs", "src/store/restore.rs"];

/// A form of SQLite that PostgreSQL refuses or understands differently.
struct Form {
    /// The description of the form, and what to write instead.
    name: &'static str,
    /// A statement with this form.
    example: &'static str,
    /// Whether a statement has the form. The statement is given as its words and signs.
    has: fn(&[&str]) -> bool,
}

const FORMS: &[Form] = &[
    Form {
        name: "INDEXED BY: let the planner choose, and test the plan where it matters",
        example: "SELECT id FROM client INDEXED BY client_idle WHERE seen_at < ?1",
        has: |words| contains(words, &["INDEXED", "BY"]),
    },
    Form {
        name: "a function that SQLite alone has: coalesce, CASE, replace or LIKE",
        example: "SELECT ifnull(area, 0) FROM client",
        has: |words| FUNCTIONS.iter().any(|name| contains(words, &[name, "("])),
    },
    Form {
        name: "max or min of two values: CASE",
        example: "UPDATE client SET cursor = max(cursor, ?2)",
        has: |words| {
            ["MAX", "MIN"]
                .iter()
                .any(|name| arguments(words, name).any(|count| count > 1))
        },
    },
    Form {
        name: "OR REPLACE, OR IGNORE or REPLACE INTO: ON CONFLICT",
        example: "INSERT OR REPLACE INTO label (client_id) VALUES (?1)",
        has: |words| {
            let forms = [["INSERT", "OR"], ["UPDATE", "OR"], ["REPLACE", "INTO"]];
            forms.iter().any(|form| contains(words, form))
        },
    },
    Form {
        name: "ON CONFLICT DO UPDATE without its columns",
        example: "INSERT INTO invite (since) VALUES (?1) ON CONFLICT DO UPDATE SET since = 0",
        has: |words| contains(words, &["CONFLICT", "DO", "UPDATE"]),
    },
    Form {
        name: "a negative LIMIT: NOT IN the rows that stay",
        example: "SELECT id FROM label ORDER BY id LIMIT -1 OFFSET ?1",
        has: |words| contains(words, &["LIMIT", "-"]),
    },
    Form {
        name: "IS with a value: IS NOT DISTINCT FROM",
        example: "SELECT id FROM app_grant WHERE session_id IS ?1",
        has: |words| contains(words, &["IS", "?"]) || contains(words, &["IS", "NOT", "?"]),
    },
    Form {
        name: "a parameter without a type: CAST(?1 AS BIGINT)",
        example: "SELECT id FROM app WHERE ?1 IS NULL OR id = ?1",
        has: |words| contains(words, &["?", "IS"]) || contains(words, &["SELECT", "?"]),
    },
    Form {
        name: "SQLite's own tables, columns and settings",
        example: "SELECT seq FROM sqlite_sequence WHERE name = 'event'",
        has: |words| {
            let own = ["PRAGMA", "ROWID", "GLOB", "REGEXP", "AUTOINCREMENT"];
            words
                .iter()
                .any(|word| own.contains(word) || word.starts_with("SQLITE_"))
        },
    },
    Form {
        name: "functions of JSON, which the engines do not share",
        example: "SELECT json_extract(targets, '$[0]') FROM event",
        has: |words| words.iter().any(|word| word.starts_with("JSON")),
    },
    Form {
        name: "a subquery in FROM without a name: AS",
        example: "SELECT count(*) FROM (SELECT 1 FROM session LIMIT ?1)",
        has: |words| {
            [["FROM", "("], ["JOIN", "("]].iter().any(|begin| {
                behind(words, begin).any(|at| next(words, at).is_some_and(|word| word != "AS"))
            })
        },
    },
    Form {
        name: "CROSS JOIN with ON: WHERE",
        example: "SELECT nick FROM conversation CROSS JOIN session ON session.id = other_id",
        has: |words| {
            words
                .windows(5)
                .any(|words| words[..2] == ["CROSS", "JOIN"] && words[3] == "ON")
        },
    },
    Form {
        name: "HAVING without GROUP BY",
        example: "SELECT count(*) FROM session HAVING count(*) > 1",
        has: |words| words.contains(&"HAVING") && !contains(words, &["GROUP", "BY"]),
    },
    Form {
        name: "a text in double quotes, or a name in other quotes: single quotes, and no quotes",
        example: "SELECT id FROM app WHERE scope = \"chat:read\"",
        has: |words| words.iter().any(|word| ["\"", "`", "["].contains(word)),
    },
    Form {
        name: "a flag that is compared or counted as a number: NOT key, key = TRUE",
        example: "SELECT id FROM client WHERE key = 1",
        has: |words| {
            let counted = |word: &&str| ["=", "<", ">", "!", "+", "-", "*"].contains(word);
            let flags = flags();
            let is_flag = |word: &str| flags.iter().any(|flag| flag == word);
            words.windows(3).any(|words| {
                is_flag(words[0]) && counted(&words[1]) && starts_with_digit(words[2])
                    || words[..2] == ["SUM", "("] && is_flag(words[2])
            })
        },
    },
];

/// Functions of SQLite that PostgreSQL lacks or defines differently.
const FUNCTIONS: &[&str] = &[
    "IFNULL",
    "IIF",
    "INSTR",
    "TOTAL",
    "CHANGES",
    "LAST_INSERT_ROWID",
    "RANDOMBLOB",
    "ZEROBLOB",
    "UNIXEPOCH",
    "STRFTIME",
    "DATETIME",
    "JULIANDAY",
    "GROUP_CONCAT",
    "TYPEOF",
    "PRINTF",
    "CHAR",
    "UNICODE",
    "HEX",
    "LIKELY",
    "UNLIKELY",
];

#[test]
fn only_the_engine_names_its_library() {
    for (path, code) in &modules()["store"] {
        let path = inner(path);
        let may = path.starts_with("src/store/engine/") || ON_FILES.contains(&path);
        assert!(may || !code.contains("rusqlite"), "{path} names rusqlite");
    }
}

#[test]
fn both_engines_accept_every_statement() {
    let mut statements = 0;
    for (path, code) in &modules()["store"] {
        let path = inner(path);
        if path.starts_with("src/store/engine/") || ON_FILES.contains(&path) {
            continue;
        }
        for text in texts(code).filter(|text| is_sql(text)) {
            statements += 1;
            if let Some(form) = forms_in(text).next() {
                panic!("{path}: {text}: {}", form.name);
            }
        }
    }
    assert!(statements > 200, "{statements} statements were found");
}

#[test]
fn every_forbidden_form_is_found() {
    for form in FORMS {
        assert!(is_sql(form.example), "{}", form.example);
        let found: Vec<_> = forms_in(form.example).map(|form| form.name).collect();
        assert_eq!(found, [form.name], "{}", form.example);
    }
    assert!(flags().contains(&"KEY".to_owned()), "{:?}", flags());
}

/// A path within the repository.
fn inner(path: &Path) -> &str {
    path.strip_prefix(root()).unwrap().to_str().unwrap()
}

/// The string literals of a file's code, as they are written there.
fn texts(code: &str) -> impl Iterator<Item = &str> {
    let (mut texts, mut begun) = (Vec::new(), None);
    let mut chars = code.char_indices();
    while let Some((at, c)) = chars.next() {
        match (c, begun) {
            ('\\', _) => drop(chars.next()),
            ('"', Some(begin)) => {
                texts.push(&code[begin..at]);
                begun = None;
            }
            // A quote in a character literal begins no string.
            ('"', None) if !code[..at].ends_with('\'') => begun = Some(at + 1),
            _ => {}
        }
    }
    texts.into_iter()
}

/// Whether a string is a statement or a part of one. Statements have their keywords in capitals.
fn is_sql(text: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "FROM", "WHERE", "JOIN", "ORDER", "AND",
        "PRAGMA", "WITH",
    ];
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| KEYWORDS.contains(&word))
}

/// The forbidden forms in a statement.
fn forms_in(statement: &str) -> impl Iterator<Item = &'static Form> {
    let upper = statement.replace("\\\"", "\"").to_ascii_uppercase();
    let words: Vec<String> = words(&upper);
    FORMS.iter().filter(move |form| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        (form.has)(&words)
    })
}

/// The words and signs of a statement. A parameter becomes `?`, and a string in single quotes
/// becomes `''`.
fn words(statement: &str) -> Vec<String> {
    let (mut words, mut chars) = (Vec::new(), statement.chars().peekable());
    while let Some(c) = chars.next() {
        let mut word = c.to_string();
        match c {
            c if c.is_whitespace() => continue,
            '\'' => {
                chars.by_ref().find(|c| *c == '\'');
                word.push('\'');
            }
            '?' => while chars.next_if(char::is_ascii_digit).is_some() {},
            c if c.is_ascii_alphanumeric() || c == '_' => {
                let goes_on = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
                while let Some(c) = chars.next_if(goes_on) {
                    word.push(c);
                }
            }
            _ => {}
        }
        words.push(word);
    }
    words
}

fn contains(words: &[&str], sought: &[&str]) -> bool {
    words.windows(sought.len()).any(|words| words == sought)
}

/// The position after each occurrence of these words. The last word is an opening parenthesis.
fn behind<'w>(words: &'w [&str], sought: &'w [&str]) -> impl Iterator<Item = usize> + 'w {
    let found = words.windows(sought.len()).enumerate();
    found.filter_map(move |(at, words)| (words == sought).then_some(at + sought.len()))
}

/// The word after the parenthesis that was opened before this position. It is empty if the
/// statement ends there. `None` means that the parenthesis is not closed, because the statement is
/// assembled from parts.
fn next<'w>(words: &[&'w str], from: usize) -> Option<&'w str> {
    let close = closing(words, from)?;
    Some(words.get(close + 1).copied().unwrap_or_default())
}

fn closing(words: &[&str], from: usize) -> Option<usize> {
    let mut depth = 1;
    (from..words.len()).find(|at| {
        match words[*at] {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

/// The number of arguments of each call of a function.
fn arguments<'w>(words: &'w [&str], function: &'w str) -> impl Iterator<Item = usize> + 'w {
    let calls = words.windows(2).enumerate();
    calls.filter_map(move |(at, call)| {
        let end = closing(words, at + 2).filter(|_| call == [function, "("])?;
        let mut depth = 0;
        let commas = words[at + 2..end].iter().filter(|word| {
            match **word {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            depth == 0 && **word == ","
        });
        Some(1 + commas.count())
    })
}

fn starts_with_digit(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

/// The columns that the schema marks as flags, in capitals.
fn flags() -> Vec<String> {
    let schema = fs::read_to_string(root().join("schema.sql")).unwrap();
    let marked = schema.lines().filter(|line| line.contains("-- flag: "));
    marked
        .map(|line| line.split_whitespace().next().unwrap().to_ascii_uppercase())
        .collect()
}
