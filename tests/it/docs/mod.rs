//! README.md and the book: every command in them is run here, or says why it is not and has its flags
//! checked. Keys, links and configurations exist, and transcripts show the verdicts that the program gives.

mod blocks;
mod place;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use blocks::{Block, How, blocks, criteria, fences, links, spans};
use place::{Place, root};
use serial_test::parallel;

/// Chains of blocks that run beside each other: they wait for most of their time.
const AT_ONCE: usize = 6;

/// README.md, and the pages of the book: path from the root, text.
fn pages() -> Vec<(String, String)> {
    let mut paths = vec!["README.md".to_string()];
    let book = fs::read_dir(root().join("docs/src")).unwrap();
    paths.extend(book.map(|entry| format!("docs/src/{}", entry.unwrap().file_name().to_string_lossy())));
    paths.retain(|path| path.ends_with(".md"));
    paths.sort();
    assert!(paths.len() > 10, "the pages of the book are gone: {paths:?}");
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(root().join(&path)).unwrap())).collect()
}

/// Runs the blocks of one chain, one after the other in one directory; what went wrong.
fn run(chain: &[Block]) -> Vec<String> {
    let place = Place::new();
    let mut wrong = Vec::new();
    for block in chain {
        let How::Run(codes) = &block.how else { continue };
        let ended = place.run(&block.script);
        if !ended.code.is_some_and(|code| codes.contains(&code)) {
            let expected = codes.iter().map(i32::to_string).collect::<Vec<_>>().join(" or ");
            wrong.push(format!(
                "{}: exit code {:?}, not {expected}\n{}\n{}",
                block.at, ended.code, block.script, ended.said
            ));
        }
        let said = criteria(ended.said.lines());
        for shown in criteria(block.shown.iter().map(String::as_str)) {
            if !said.contains(&shown) {
                wrong.push(format!(
                    "{}: it does not print `{}  {}`\n{}",
                    block.at, shown.0, shown.1, ended.said
                ));
            }
        }
    }
    wrong
}

/// The blocks of all pages that are run, in chains; a chain that another page has as well, once.
fn chains() -> Vec<Vec<Block>> {
    let mut chains: Vec<Vec<Block>> = Vec::new();
    for (page, text) in pages() {
        let of_page = blocks(&page, &text).unwrap();
        for block in of_page.into_iter().filter(|block| block.how != How::NotRun) {
            match chains.last_mut() {
                Some(chain) if block.then => chain.push(block),
                _ => chains.push(vec![block]),
            }
        }
    }
    let mut seen = BTreeSet::new();
    chains.retain(|chain| {
        seen.insert(format!("{:?}", chain.iter().map(|b| (&b.script, &b.shown)).collect::<Vec<_>>()))
    });
    chains
}

#[test]
#[parallel(machine)]
fn every_command_does_what_its_page_says() {
    let chains = chains();
    assert!(chains.len() >= 8, "only {} chains of commands are run", chains.len());
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(chain) = chains.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = run(chain);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_flag_a_wrong_code_and_a_wrong_verdict_are_found() {
    let planted = |page: &str| run(&blocks("planted.md", page).unwrap());
    let right = "```console,exit=1\n$ highwater judge fixtures/leak-traces/d117.csv\n```\n";
    assert_eq!(planted(right), Vec::<String>::new());
    let wrong = [
        ("```sh,exit=1\nhighwater judge --furst 30 fixtures/leak-traces/d117.csv\n```\n", "--furst"),
        ("```sh\nhighwater judge fixtures/leak-traces/d117.csv\n```\n", "exit code Some(1), not 0"),
        (
            "```console,exit=1\n$ highwater judge fixtures/leak-traces/d117.csv\n  PASS  no leak: 0\n```\n",
            "PASS  no leak",
        ),
        ("```sh\ncargo bench\n```\n", "exit code Some(97)"),
    ];
    for (page, found) in wrong {
        let said = planted(page).join("\n");
        assert!(said.contains(found), "{page}\n{said}");
    }
}

#[test]
fn commands_that_are_not_run_have_flags_and_names_that_exist() {
    let place = Place::new();
    for wrong in [
        "highwater run --ony leak",
        "highwater run --demo -- --leek 5MB",
        "highwater soak --for 8x",
        "cargo test --test leek",
        "cargo run --release -- run --dmo",
        "heighwater run",
        "python3 fixtures/nothing.py",
    ] {
        assert_ne!(place.check(wrong).code, Some(0), "{wrong} passes");
    }
    for right in ["highwater run --demo --only leak -- --leak 5MB", "cargo bench --bench sampler"] {
        let ended = place.check(right);
        assert_eq!(ended.code, Some(0), "{right}: {}", ended.said);
    }
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        let in_blocks = blocks(&page, &text).unwrap().into_iter().map(|block| (block.at, block.script));
        let in_prose = spans(&text)
            .into_iter()
            .filter(|span| span.starts_with("highwater ") || span.starts_with("cargo "))
            .map(|span| (page.clone(), span.replace('…', "")));
        for (at, script) in in_blocks.chain(in_prose) {
            let ended = place.check(&script);
            if ended.code != Some(0) {
                wrong.push(format!("{at}: {script}\n{}", ended.said));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn flags_keys_and_links_exist() {
    let place = Place::new();
    let commands = [
        "",
        "run",
        "watch",
        "soak",
        "report",
        "results",
        "compare",
        "judge",
        "doctor",
        "init",
        "completions",
        "man",
        "demo",
    ];
    let help: String =
        commands.iter().map(|command| place.run(&format!("highwater {command} --help")).said).collect();
    let flags: BTreeSet<&str> = words(&help).filter(|word| word.starts_with("--")).collect();
    place.run("highwater init");
    let template = fs::read_to_string(place.path("work/highwater.toml")).unwrap();
    let sources = sources();

    let faults = |page: &str, text: &str| -> Vec<String> {
        let mut faults = Vec::new();
        for span in spans(text) {
            let first = words(&span).next().unwrap_or_default();
            if span.starts_with("--") && !flags.contains(first) {
                faults.push(format!("{page}: no command has the flag `{first}`"));
            }
            if is_dotted(&span) && !is_key(&template, &span) && !sources.contains(&format!("\"{span}\"")) {
                faults.push(format!("{page}: `{span}` is no key and no criterion"));
            }
        }
        for link in links(text) {
            let path = link.split('#').next().unwrap_or_default();
            let folder = root().join(page);
            if !path.is_empty() && !folder.parent().unwrap().join(path).exists() {
                faults.push(format!("{page}: the link `{link}` leads nowhere"));
            }
        }
        faults
    };
    let planted = faults(
        "README.md",
        "`--onyl x` `leak.max_delta_gb` [a](docs/src/none.md) `leak.max_delta_mb` `leak.delta`",
    );
    assert_eq!(planted.len(), 3, "{planted:?}");
    let wrong: Vec<String> = pages().iter().flat_map(|(page, text)| faults(page, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn configurations_can_be_loaded_and_rust_is_that_of_the_crate_documentation() {
    let place = Place::new();
    let documented = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut tried = 0;
    for (page, text) in pages() {
        for (line, info, content) in fences(&text) {
            match info.as_str() {
                "toml" => {
                    tried += 1;
                    fs::write(place.path("work/highwater.toml"), &content).unwrap();
                    let said = place.run("highwater doctor || true").said;
                    assert!(said.starts_with("configuration: "), "{page}:{line}: {said}");
                }
                // The example of the crate documentation is compiled.
                "rust" => {
                    for code in content.lines().filter(|code| !code.is_empty()) {
                        assert!(documented.contains(&format!("//! {code}\n")), "{page}:{line}: {code}");
                    }
                }
                _ => {}
            }
        }
    }
    assert!(tried > 2, "only {tried} configurations were tried");
    fs::write(place.path("work/highwater.toml"), "[leak]\nrepeets = 3\n").unwrap();
    assert!(!place.run("highwater doctor || true").said.starts_with("configuration: "), "a wrong key passes");
}

/// A figure of a page is printed by a command that the page names: in the block, or in the paragraph or
/// the block before a table.
#[test]
fn a_transcript_names_its_command() {
    let bare = |page: &str, text: &str| -> Vec<String> {
        let transcripts = fences(text).into_iter().filter(|(_, info, _)| info.starts_with("text"));
        transcripts.map(|(line, ..)| format!("{page}:{line}: a transcript is a `console` block")).collect()
    };
    assert_eq!(bare("x.md", "```text\nPASS\n```\n").len(), 1);
    let wrong: Vec<String> = pages()
        .iter()
        // The layout of a file is no transcript.
        .filter(|(page, _)| page != "docs/src/files.md")
        .flat_map(|(page, text)| bare(page, text))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words as they stand in a help text or a code span: without brackets and what a flag is set to.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).filter(|word| !word.is_empty())
}

/// `section.key`, as keys and criteria are written.
fn is_dotted(span: &str) -> bool {
    let sections =
        ["audio", "target", "sampler", "settle", "leak", "ramp", "soak", "guard", "compare", "worker"];
    let (section, key) = span.split_once('.').unwrap_or_default();
    sections.contains(&section)
        && key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.')
        && !key.is_empty()
}

/// Whether the commented template has the key, in the section of that name.
fn is_key(template: &str, key: &str) -> bool {
    let (section, name) = key.rsplit_once('.').unwrap_or_default();
    let mut inside = false;
    template.lines().any(|line| {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = header == section;
        }
        inside && line.trim_start_matches('#').split('=').next().unwrap_or_default().trim() == name
            || line.trim() == format!("[{key}]")
    })
}

/// All of src, in which criteria are named.
fn sources() -> String {
    fn read(folder: &std::path::Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => read(&entry.path(), text),
                false => text.push_str(&fs::read_to_string(entry.path()).unwrap()),
            }
        }
    }
    let mut text = String::new();
    read(&root().join("src"), &mut text);
    text
}
