//! The program that a process runs: the script of an interpreter, or the executable.
//!
//! `python3 /venv/bin/uvicorn app:app` runs `uvicorn`; `pytest -k uvicorn`,
//! `vim uvicorn.py` and `timeout 60 uvicorn app:app` do not.

/// The program of a process, according to its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Program<'a> {
    /// The base name of the script or the executable, or a module's full name.
    pub(super) name: &'a str,
    /// Its own arguments.
    pub(super) arguments: &'a [String],
    /// The arguments are one string that the program wrote itself (setproctitle).
    pub(super) is_title: bool,
}

impl<'a> Program<'a> {
    /// The program of a process with these arguments.
    pub(super) fn of(argv: &'a [String]) -> Program<'a> {
        let Some((first, rest)) = argv.split_first() else {
            return Program { name: "", arguments: &[], is_title: false };
        };
        if let Some(name) = title(first, rest) {
            return Program { name, arguments: rest, is_title: true };
        }
        // A login shell is called `-bash`.
        let executable = base_name(first).trim_start_matches('-');
        match script(executable, rest) {
            Some((name, arguments)) => Program { name, arguments, is_title: false },
            None => Program { name: executable, arguments: rest, is_title: false },
        }
    }

    /// The package of a module (`rq` of `rq.cli`); the name itself otherwise.
    pub(super) fn package(&self) -> &'a str {
        self.name.split('.').next().unwrap_or(self.name)
    }
}

/// The part after the last slash.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The program's name in a title that it gave itself: `rq` of
/// `rq:worker:ab12: Listening on asr-queue`, `celeryd` of `[celeryd: …]`.
fn title<'a>(first: &'a str, rest: &[String]) -> Option<&'a str> {
    let before = first.split_once(':')?.0.trim_start_matches('[');
    let is_word = !before.is_empty() && !before.contains(['/', ' ', '=']);
    (rest.is_empty() && is_word).then_some(before)
}

/// Options of interpreters that take the argument after them as their value.
fn takes_value(interpreter: &str, option: &str) -> bool {
    match interpreter {
        "python" => matches!(option, "-W" | "-X" | "--check-hash-based-pycs"),
        "node" => matches!(option, "-r" | "--require" | "--import" | "--loader"),
        "ruby" => matches!(option, "-I" | "-r" | "-C" | "-E"),
        "perl" => matches!(option, "-I"),
        "java" => matches!(option, "-cp" | "-classpath" | "--class-path" | "-p" | "--module-path"),
        _ => matches!(option, "-o" | "+o" | "-O" | "+O" | "--rcfile" | "--init-file"),
    }
}

/// The script that an interpreter runs, with the script's arguments. `None` if the executable
/// is no interpreter, runs code from its command line, or has no script.
fn script<'a>(executable: &str, rest: &'a [String]) -> Option<(&'a str, &'a [String])> {
    let interpreter = interpreter(executable)?;
    let mut index = 0;
    while let Some(argument) = rest.get(index) {
        let after = || rest.get(index + 1..).unwrap_or_default();
        match (interpreter, argument.as_str()) {
            ("python", "-m") | ("java", "-jar" | "-m") => {
                let (name, arguments) = after().split_first()?;
                return Some((base_name(name), arguments));
            }
            ("python", "-c") | ("ruby" | "perl" | "node", "-e" | "--eval" | "-p") => return None,
            (_, option) if takes_value(interpreter, option) => index += 2,
            ("shell", option) if is_command_option(option) => return None,
            (_, option) if option.starts_with('-') || option.starts_with('+') => index += 1,
            (_, path) => return Some((base_name(path), after())),
        }
    }
    None
}

/// `-c`, alone or bundled as in `-lc`.
fn is_command_option(option: &str) -> bool {
    option.starts_with('-') && !option.starts_with("--") && option.contains('c')
}

/// True for `sh -c COMMAND`, also with the option bundled as in `bash -lc`.
///
/// Such a shell is never the service: it carries the words of the service because
/// it launches or relaunches it.
pub(super) fn is_command_shell(argv: &[String]) -> bool {
    let is_option = |argument: &&String| argument.starts_with('-');
    is_shell(argv)
        && argv.iter().skip(1).take_while(is_option).any(|option| is_command_option(option.as_str()))
}

/// True if the process is a shell, whatever it runs.
pub(super) fn is_shell(argv: &[String]) -> bool {
    let executable = argv.first().map_or("", |first| base_name(first).trim_start_matches('-'));
    interpreter(executable) == Some("shell")
}

/// The kind of interpreter that an executable is: `python` for `python3.11`.
fn interpreter(executable: &str) -> Option<&'static str> {
    const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "busybox"];
    if SHELLS.contains(&executable) {
        return Some("shell");
    }
    let plain = executable.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    match plain {
        "python" | "pypy" | "python-t" => Some("python"),
        "ruby" => Some("ruby"),
        "perl" => Some("perl"),
        "node" | "nodejs" => Some("node"),
        "java" => Some("java"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(line: &str) -> Vec<String> {
        line.split(' ').map(ToString::to_string).collect()
    }

    #[test]
    fn the_script_of_an_interpreter_is_the_program() {
        for (line, name, arguments) in [
            ("/venv/bin/python3 /venv/bin/uvicorn app:app --port 1", "uvicorn", "app:app --port 1"),
            ("python -X dev -u -W ignore worker.py -v", "worker.py", "-v"),
            ("python3.11 -m rq.cli worker asr-queue", "rq.cli", "worker asr-queue"),
            ("/opt/asr-backend -listen :80", "asr-backend", "-listen :80"),
            ("node --inspect -r ts-node server.js", "server.js", ""),
            ("java -Xmx1g -jar /srv/app.jar x", "app.jar", "x"),
            ("bash -e run.sh rq worker", "run.sh", "rq worker"),
            ("timeout 60 uvicorn app:app", "timeout", "60 uvicorn app:app"),
            ("-zsh", "zsh", ""),
            ("python3 -c from-multiprocessing", "python3", "-c from-multiprocessing"),
        ] {
            let argv = argv(line);
            let program = Program::of(&argv);
            assert_eq!((program.name, program.arguments.join(" ").as_str()), (name, arguments), "{line}");
            assert!(!program.is_title);
        }
        let module = argv("python -m rq.cli worker");
        assert_eq!(Program::of(&module).package(), "rq");
    }

    #[test]
    fn a_title_names_its_program() {
        let title = |text: &str| {
            let argv = [text.to_string()];
            let program = Program::of(&argv);
            (program.name.to_string(), program.is_title)
        };
        assert_eq!(title("rq:worker:ab12: Listening on asr-queue"), ("rq".to_string(), true));
        assert_eq!(title("gunicorn: master [app]"), ("gunicorn".to_string(), true));
        assert_eq!(title("[celeryd: worker@host]"), ("celeryd".to_string(), true));
        assert_eq!(title("/usr/bin/a:b"), ("a:b".to_string(), false));
        assert_eq!(Program::of(&[]).name, "");
    }

    #[test]
    fn shells_with_a_command_are_known() {
        let command = |words: &[&str]| {
            is_command_shell(&words.iter().map(ToString::to_string).collect::<Vec<String>>())
        };
        assert!(command(&["/bin/sh", "-c", "rq worker asr-queue"]));
        assert!(command(&["bash", "--norc", "-lc", "rq worker"]));
        assert!(!command(&["bash", "run-worker.sh", "-c"]));
        assert!(!command(&["python3", "-c", "rq worker"]));
        assert!(is_shell(&argv("-zsh")) && !is_shell(&[]));
    }
}
