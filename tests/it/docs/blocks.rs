//! The parts of a Markdown page: fenced blocks, code spans, links. Pure.

/// Why a block of commands is not run. A block is run unless it carries one of these.
pub(crate) const NOT_RUN: [(&str, &str); 7] = [
    ("no-run-compiles", "cargo would compile for minutes; `.ci/run` runs these commands"),
    ("no-run-installs", "it would install into the home of whoever runs the tests"),
    ("no-run-bench", "a bench measures for minutes; CI compiles it with all targets"),
    ("no-run-needs-a-service", "it is meant for the reader's own service"),
    ("no-run-needs-a-stopped-run", "it names the files of a run of the reader's"),
    ("no-run-needs-the-real-stack", "it needs Redis and Python packages; `tests/it/real_stack.rs` runs it"),
    ("no-run-takes-hours", "the same command with a short time is run beside it"),
];

/// A fenced block of commands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    /// Page and line, for messages.
    pub(crate) at: String,
    /// The commands, a line each.
    pub(crate) script: String,
    /// The output that a `console` block shows.
    pub(crate) shown: Vec<String>,
    pub(crate) how: How,
    /// It is run in the directory of the block before it.
    pub(crate) then: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum How {
    /// The last command ends with one of these codes; those before it, with 0.
    Run(Vec<i32>),
    NotRun,
}

/// Each fence of a page: its line, what follows the backticks, its content.
pub(crate) fn fences(text: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => open = Some((index + 1, info.trim().to_string(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, _, content)), None) => {
                content.push_str(line);
                content.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed: {open:?}");
    found
}

/// The blocks of commands of a page. An error names the block whose marks are not known.
pub(crate) fn blocks(page: &str, text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    for (line, info, content) in fences(text) {
        let mut marks = info.split(',');
        let language = marks.next().unwrap_or_default();
        if matches!(language, "bash" | "shell" | "") {
            return Err(format!("{page}:{line}: `{language}`: commands stand in `sh` or `console`"));
        }
        if !matches!(language, "sh" | "console") {
            continue;
        }
        let (mut how, mut then) = (How::Run(vec![0]), false);
        for mark in marks {
            if mark == "then" {
                then = true;
            } else if let Some(codes) = mark.strip_prefix("exit=") {
                let codes: Result<Vec<i32>, _> = codes.split('|').map(str::parse).collect();
                how = How::Run(codes.map_err(|error| format!("{page}:{line}: {mark}: {error}"))?);
            } else if NOT_RUN.iter().any(|(known, _)| *known == mark) {
                how = How::NotRun;
            } else {
                return Err(format!("{page}:{line}: unknown mark `{mark}`"));
            }
        }
        let (script, shown) = match language {
            "console" => {
                let is_command = |line: &&str| line.starts_with("$ ");
                let commands: Vec<&str> = content.lines().filter(is_command).map(|line| &line[2..]).collect();
                let shown = content.lines().filter(|line| !is_command(line)).map(str::to_string).collect();
                (commands.join("\n"), shown)
            }
            _ => (content, Vec::new()),
        };
        if script.trim().is_empty() {
            return Err(format!("{page}:{line}: a `console` block begins with its command: `$ highwater …`"));
        }
        blocks.push(Block { at: format!("{page}:{line}"), script, shown, how, then });
    }
    Ok(blocks)
}

/// The page without its fenced blocks.
pub(crate) fn prose(text: &str) -> String {
    let mut inside = false;
    let keep = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    };
    text.lines().filter(keep).collect::<Vec<_>>().join("\n")
}

/// The code spans of a page's prose, each on one line.
pub(crate) fn spans(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")).collect()
}

/// The targets of the links in a page's prose, except those to other sites.
pub(crate) fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_string).collect()
}

/// The lines of a transcript that say how a criterion came out: its verdict, and its title.
pub(crate) fn criteria<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(&'a str, &'a str)> {
    let verdicts = ["PASS", "FAIL", "INCONCLUSIVE"];
    lines
        .filter_map(|line| line.trim().split_once("  "))
        .filter(|(verdict, _)| verdicts.contains(verdict))
        .map(|(verdict, rest)| (verdict, rest.split(&[':', '('][..]).next().unwrap_or(rest).trim()))
        .collect()
}

mod tests {
    use super::*;

    #[test]
    fn a_block_is_run_unless_it_says_why_not() {
        let page = "```sh\nhighwater run --demo\n```\n```sh,no-run-takes-hours\nhighwater soak\n```\n```toml\na=1\n```\n";
        let found = blocks("x.md", page).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((found[0].at.as_str(), &found[0].how), ("x.md:1", &How::Run(vec![0])));
        assert_eq!(found[1].how, How::NotRun);
        for wrong in
            ["```sh,no-run\nx\n```\n", "```bash\nx\n```\n", "```\nx\n```\n", "```sh,exit=x\nx\n```\n"]
        {
            assert!(blocks("x.md", wrong).is_err(), "{wrong}");
        }
        assert!(
            blocks("x.md", "```console\nPASS\n```\n").is_err(),
            "output without the command that printed it"
        );
    }

    #[test]
    fn a_console_block_has_its_command_and_its_output() {
        let page =
            "```console,exit=1|2\n$ highwater run --demo\n  PASS  every task succeeds: 3 of 3\n…\n```\n";
        let block = &blocks("x.md", page).unwrap()[0];
        assert_eq!(block.script, "highwater run --demo");
        assert_eq!(block.how, How::Run(vec![1, 2]));
        assert_eq!(criteria(block.shown.iter().map(String::as_str)), [("PASS", "every task succeeds")]);
    }

    #[test]
    fn spans_and_links_stand_in_prose() {
        let page = "`a\nb` [c](d.md#e) [x](https://x)\n```sh\n`no` [n](n)\n```\n`f`";
        assert_eq!(spans(page), ["a b", "f"]);
        assert_eq!(links(page), ["d.md#e"]);
    }
}
