//! Sentences for people are made in `src/words` alone, as far as a program can check it.

use regex::Regex;

use crate::tidy::{code, rust_files};

/// Folders whose code decides and measures, and puts no sentence together: `src/words` does.
const WORDLESS: [&str; 4] = ["src/analysis", "src/phases", "src/sampler", "src/record"];

/// Why a process was not found or not read: these texts are the message of an error.
const ERRORS: [&str; 2] = ["src/sampler/find/", "src/sampler/elsewhere/"];

/// A statement with one of these makes an error, ends the program by a fault, or goes to the diagnostic log.
const NOT_SAID: [&str; 14] = [
    "Error::",
    "ErrorKind::",
    "Err(",
    ".hint(",
    "map_err",
    "ok_or",
    "#[error",
    "expect(",
    "panic!(",
    "assert",
    "trace!(",
    "debug!(",
    "warn!(",
    "#[",
];

/// The lines with a text of several words that is no message of an error.
fn sentences(source: &str) -> Vec<String> {
    let text = Regex::new(r#""(?:[^"\\]|\\.)*""#).expect("a valid pattern");
    let placeholder = Regex::new(r"\{[^}]*\}|`[^`]*`").expect("a valid pattern");
    let word = |token: &&str| {
        let token = token.trim_matches(|c: char| ",;:.()".contains(c));
        token.len() > 1 && token.chars().all(|c| c.is_ascii_lowercase())
    };
    // A name in a file is no sentence.
    let is_name = |literal: &str| source.contains(&format!("rename = {literal}"));
    let has_many = |literal: &str| {
        let plain = placeholder.replace_all(literal.trim_matches('"'), "");
        plain.split_whitespace().filter(word).count() >= 3 && !is_name(literal)
    };
    let (mut statement, mut continued) = (String::new(), String::new());
    let mut found = Vec::new();
    for (number, line) in code(source).take_while(|(_, line)| !line.starts_with("mod tests {")) {
        statement.push_str(line);
        // A text that goes on in the next line.
        continued.push_str(line.trim_end_matches('\\'));
        if line.ends_with('\\') {
            continue;
        }
        let whole = std::mem::take(&mut continued);
        let says = text.find_iter(&whole).any(|literal| has_many(literal.as_str()));
        if says && !NOT_SAID.iter().any(|maker| statement.contains(maker)) {
            found.push(format!("line {number}: {}", line.trim()));
        }
        if line.trim_end().ends_with([';', '{', '}', ',']) && !line.trim_end().ends_with("!(") {
            let goes_on = line.trim_end().ends_with(',') && open_calls(&statement) > 0;
            if !goes_on {
                statement.clear();
            }
        }
    }
    found
}

/// How many parentheses of a statement are still open.
fn open_calls(statement: &str) -> i32 {
    statement.chars().fold(0, |open, letter| open + i32::from(letter == '(') - i32::from(letter == ')'))
}

#[test]
fn all_sentences_are_made_in_one_place() {
    for place in WORDLESS {
        for (name, source) in rust_files(place) {
            let exempt =
                name.ends_with("tests.rs") || name.contains("/tests/") || name.ends_with("/fixtures.rs");
            if exempt || ERRORS.iter().any(|front| name.starts_with(front)) {
                continue;
            }
            let found = sentences(&source);
            assert!(found.is_empty(), "{name} makes a sentence, which belongs into src/words: {found:#?}");
        }
    }
}

#[test]
fn a_sentence_elsewhere_would_be_found() {
    let line = |source: &str| sentences(source).len();
    assert_eq!(line("fn f(pid: u32) -> String {\n    format!(\"worker pid {pid} was killed\")\n}\n"), 1);
    assert_eq!(line("match a {\n    A::B => \"again, since it broke\".to_string(),\n}\n"), 1);
    assert_eq!(line("let what = format!(\n    \"{good} of {all} tasks left no record\",\n    1,\n);\n"), 1);
    let long = "let a = \"a worker \\\n         was killed\";\n";
    assert_eq!(line(long), 1, "over two lines");
    let error =
        "    Error::new(\n        ErrorKind::Io,\n        \"cannot read the list of processes\",\n    )\n";
    assert_eq!(line(error), 0, "an error");
    assert_eq!(line("tracing::warn!(pid = 3, \"cannot measure a process\");\n"), 0, "the log");
    assert_eq!(line("/// A worker was killed by somebody.\nfn f() {}\n"), 0, "a comment");
    let renamed = "#[serde(rename = \"not enough data\")]\nA,\nmatch a {\n    A => \"not enough data\",\n}\n";
    assert_eq!(line(renamed), 0, "a name of the file's format");
    assert_eq!(
        line("f(\"/proc/self/stat\", \"memory back\", \"`a` is {not so few words} MB\");\n"),
        0,
        "a name, and a figure"
    );
}
