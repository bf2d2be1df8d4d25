//! One program with everything that it starts: a process group of its own, which ends as a whole.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::{ended, starting};

/// How long output that was written before the end of a program may take to arrive.
const REST: Duration = Duration::from_secs(1);

/// A program that runs. Dropping it kills it, with all of its process group.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    pid: u32,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// The end of its standard output.
    pub(crate) stdout: Vec<u8>,
    /// The end of its standard error.
    pub(crate) stderr: Vec<u8>,
}

impl Ended {
    /// How it ended, in words: `exit status 3`, `signal 9`.
    pub(crate) fn how(&self) -> String {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&self.status) {
            return format!("signal {signal}");
        }
        self.status.code().map_or_else(|| self.status.to_string(), |code| format!("exit status {code}"))
    }

    /// The last line that it wrote, to standard error if there is one.
    pub(crate) fn last_words(&self) -> Option<String> {
        let last = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.lines().rfind(|line| !line.trim().is_empty()).map(|line| line.trim().to_string())
        };
        last(&self.stderr).or_else(|| last(&self.stdout))
    }
}

impl Group {
    /// Starts `argv`, a program and its arguments, without a shell.
    ///
    /// # Errors
    /// If there is no such program, or it cannot be started.
    pub(crate) fn start(
        argv: &[String],
        environment: &[(String, String)],
        cwd: Option<&Path>,
    ) -> io::Result<Group> {
        let (program, arguments) =
            argv.split_first().ok_or_else(|| io::Error::other("there is no program to start"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(cwd) = cwd {
            command.current_dir(cwd);
        }
        #[cfg(unix)]
        command.process_group(0);
        let start = || {
            let child = command.spawn()?;
            let pid = child.id().ok_or_else(|| io::Error::other("it ended at once"))?;
            Ok((child, pid))
        };
        let (child, pid) = starting(start)?;
        Ok(Group { child, pid })
    }

    /// Gives it `input` and waits for its end. Of each output, the last `most` bytes are kept.
    ///
    /// What it started and left behind in its group is killed. Dropping the future kills all of it.
    ///
    /// # Errors
    /// If its end cannot be learned.
    pub(crate) async fn finish(mut self, input: &[u8], most: usize) -> io::Result<Ended> {
        let stdin = self.child.stdin.take();
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let give = async {
            if let Some(mut stdin) = stdin {
                // A program that does not want its input closes the pipe, which is no failure.
                drop(stdin.write_all(input).await);
            }
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = {
            let read = async { tokio::join!(tail(stdout, most, &mut out), tail(stderr, most, &mut err)) };
            tokio::pin!(read);
            let wait = async { tokio::join!(give, self.child.wait()).1 };
            tokio::pin!(wait);
            let mut all_read = false;
            let status = loop {
                tokio::select! {
                    status = &mut wait => break status?,
                    _ = &mut read, if !all_read => all_read = true,
                }
            };
            kill(self.pid);
            if !all_read {
                // Whoever left the group may hold the pipes for ever.
                drop(tokio::time::timeout(REST, read).await);
            }
            status
        };
        Ok(Ended { status, stdout: out, stderr: err })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        kill(self.pid);
        ended(self.pid);
    }
}

/// Kills every process of the group.
fn kill(group: u32) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(group).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have no process left.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = group;
}

/// Reads to the end, and keeps the last `most` bytes in `kept`.
async fn tail(source: Option<impl AsyncRead + Unpin>, most: usize, kept: &mut Vec<u8>) {
    let Some(mut source) = source else { return };
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = source.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..count]);
        if kept.len() > 2 * most {
            kept.drain(..kept.len() - most);
        }
    }
    if kept.len() > most {
        kept.drain(..kept.len() - most);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::programs::pids;

    fn shell(script: &str) -> Group {
        Group::start(&["sh", "-c", script].map(str::to_string), &[], None).unwrap()
    }

    #[tokio::test]
    async fn a_program_is_ours_while_it_runs_and_says_how_it_ended() {
        let group = shell("cat; echo trouble >&2; exit 3");
        let pid = group.pid;
        assert!(pids().contains(&pid));
        let ended = group.finish(b"hello", 100).await.unwrap();
        assert_eq!((ended.how().as_str(), ended.stdout.as_slice()), ("exit status 3", b"hello".as_slice()));
        assert_eq!(ended.last_words().as_deref(), Some("trouble"));
        assert!(pids().contains(&pid), "a search that began before still has it in its list");
        let killed = shell("kill -9 $$").finish(b"", 100).await.unwrap();
        assert_eq!(killed.how(), "signal 9");
    }

    #[tokio::test]
    async fn what_it_leaves_behind_ends_with_it_and_holds_nothing_up() {
        let started = Instant::now();
        let ended = shell("sleep 600 & echo $!").finish(b"", 100).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(60), "it waited for the child");
        let child: u32 = String::from_utf8_lossy(&ended.stdout).trim().parse().unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        while !gone() {
            assert!(started.elapsed() < Duration::from_secs(60), "it was left behind");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn of_a_long_output_the_end_is_kept() {
        let ended = shell("yes | head -c 100000; echo; echo end").finish(b"", 10).await.unwrap();
        assert!(ended.stdout.len() == 10 && ended.stdout.ends_with(b"\nend\n"), "{:?}", ended.stdout);
    }
}
