//! The page that says how faithful the sandbox is holds together: each row has an id, a source and tests that exist.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each of these is a point to look at in an account of AWS.
const MOST_ASSUMED: usize = 12;

struct Row {
    source: String,
    tests: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows by their ids, and what is wrong with the page.
fn rows(page: &str) -> (BTreeMap<String, Row>, Vec<String>) {
    let (mut rows, mut wrong) = (BTreeMap::new(), Vec::new());
    let mut in_table = false;
    for line in page.lines() {
        let is_row = line.starts_with('|');
        if is_row && !in_table && line != "| id | here | on AWS | source | test |" {
            wrong.push(format!("a table has other columns: {line}"));
        }
        let is_head = is_row && !in_table || line.starts_with("| ---");
        in_table = is_row;
        if !is_row || is_head {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, _here, _there, source, tests] = cells.as_slice() else {
            wrong.push(format!("a row has {} columns: {line}", cells.len()));
            continue;
        };
        let tests = tests.split(", ").map(|name| name.trim_matches('`').to_owned()).collect();
        if rows.insert((*id).to_owned(), Row { source: (*source).to_owned(), tests }).is_some() {
            wrong.push(format!("{id} is there twice"));
        }
    }
    (rows, wrong)
}

/// Why a source is none.
fn unsound(source: &str) -> Option<&'static str> {
    let link = source.contains("https://");
    match source.split([':', ' ']).next().unwrap_or_default() {
        "documented" if !source.contains('"') => Some("quotes no sentence of AWS"),
        "documented" | "reported" if !link => Some("names no page"),
        "documented" | "reported" | "tried" | "assumed" => None,
        _ => Some("has no source: documented, reported, tried or assumed"),
    }
}

/// All tests of the workspace, and the rows that comments name, each with its file.
fn tests_and_mentions(directory: &Path, tests: &mut BTreeSet<String>, mentions: &mut Vec<(String, PathBuf)>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            tests_and_mentions(&path, tests, mentions);
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            if let Some(ids) = line.strip_prefix("// fidelity: ") {
                mentions
                    .extend(ids.split([',', ' ']).filter(|id| !id.is_empty()).map(|id| (id.to_owned(), path.clone())));
            }
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let function = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
            if let Some(function) = function.filter(|_| is_test) {
                tests.insert(function.split('(').next().unwrap_or_default().to_owned());
                is_test = false;
            }
        }
    }
}

#[test]
fn every_row_has_a_source_and_tests_that_exist() {
    let page = std::fs::read_to_string(root().join("docs/fidelity.md")).unwrap();
    let (rows, mut wrong) = rows(&page);
    let (mut tests, mut mentions) = (BTreeSet::new(), Vec::new());
    tests_and_mentions(&root(), &mut tests, &mut mentions);
    for (id, row) in &rows {
        wrong.extend(unsound(&row.source).map(|why| format!("{id} {why}")));
        let unknown = row.tests.iter().filter(|name| !tests.contains(*name));
        wrong.extend(unknown.map(|name| format!("{id}: there is no test `{name}`")));
        wrong.extend((!id.starts_with("F-")).then(|| format!("{id} is no id")));
    }
    let unknown = mentions.iter().filter(|(id, _)| !rows.contains_key(id));
    wrong.extend(unknown.map(|(id, file)| format!("{}: there is no row {id}", file.display())));
    let assumed = rows.values().filter(|row| row.source.starts_with("assumed")).count();
    wrong
        .extend((assumed > MOST_ASSUMED).then(|| format!("{assumed} rows are assumed, at most {MOST_ASSUMED} may be")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.len() > 150 && mentions.len() > 2, "the page is not read: {} rows, {mentions:?}", rows.len());
}

#[test]
fn what_is_wrong_with_a_page_is_told() {
    let head = "| id | here | on AWS | source | test |\n| --- | --- | --- | --- | --- |\n";
    let wrong = |page: &str| rows(page).1.join("; ");
    assert_eq!(wrong(&format!("{head}| F-A-1 | a | b | tried | `t` |\n")), "");
    assert_eq!(
        wrong(&format!("{head}| F-A-1 | a | b | tried | `t` |\n| F-A-1 | a | b | tried | `t` |")),
        "F-A-1 is there twice"
    );
    assert!(wrong("| here | source |\n| --- | --- |\n").contains("other columns"));
    assert!(wrong(&format!("{head}| F-A-1 | a | tried |\n")).contains("3 columns"));
    assert_eq!(unsound("documented: https://docs.aws.amazon.com"), Some("quotes no sentence of AWS"));
    assert_eq!(unsound("reported: somebody"), Some("names no page"));
    assert_eq!(unsound("simplified"), Some("has no source: documented, reported, tried or assumed"));
    assert_eq!(unsound("tried (simplified)"), None);
}
