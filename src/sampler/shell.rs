//! Shells carry the words of a command line that they only launch.

use super::process::ProcessInfo;

const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "busybox"];

/// True if the process is a shell.
pub(super) fn is_shell(process: &ProcessInfo) -> bool {
    // A login shell is called `-bash`.
    let program = process.argv.first().map_or("", String::as_str);
    let program = program.rsplit('/').next().unwrap_or(program).trim_start_matches('-');
    SHELLS.contains(&program)
}

/// True for `sh -c COMMAND`, also with the option bundled as in `bash -lc`.
///
/// Such a shell is never what a pattern means: it carries the words of the
/// service because it launches it, or will launch it again in a moment.
pub(super) fn is_command_shell(process: &ProcessInfo) -> bool {
    let mut options = process.argv.iter().skip(1).take_while(|argument| argument.starts_with('-'));
    is_shell(process) && options.any(|option| !option.starts_with("--") && option.contains('c'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::process::ProcessId;

    fn process(argv: &[&str]) -> ProcessInfo {
        ProcessInfo {
            id: ProcessId { pid: 1, start_ticks: 1 },
            parent: 0,
            name: String::new(),
            argv: argv.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn shells_with_a_command_are_known() {
        assert!(is_command_shell(&process(&["/bin/sh", "-c", "rq worker asr-queue"])));
        assert!(is_command_shell(&process(&["bash", "--norc", "-lc", "rq worker"])));
        assert!(!is_command_shell(&process(&["bash", "run-worker.sh", "-c"])));
        assert!(!is_command_shell(&process(&["python3", "-c", "rq worker"])));
        assert!(is_shell(&process(&["-zsh"])));
        assert!(!is_shell(&process(&[])));
    }
}
