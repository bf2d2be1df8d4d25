//! A place to run the commands of the pages: a directory with small recordings, and a `PATH` on which
//! `highwater` and `cargo` are the program under test.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Far more than any block takes: only one that hangs meets it.
const DEADLINE: Duration = Duration::from_secs(200);

/// `cargo run` is highwater, which cargo has built already.
const CARGO: &str = r#"#!/bin/sh
case "$1 $2 $3" in
"run --release --") shift 3; exec "$HIGHWATER" "$@" ;;
esac
echo "cargo $*: only \`cargo run --release -- …\` can be run here" >&2
exit 97
"#;

const HIGHWATER: &str = "#!/bin/sh\nexec \"$HIGHWATER\" \"$@\"\n";

/// Parses its arguments and does nothing: with `--help` last, clap refuses what it does not know.
/// What follows `--` goes to the embedded service, and is checked by its command.
const CHECKED_HIGHWATER: &str = r#"#!/bin/sh
count=$#
demo=
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    if [ "$argument" = -- ]; then
        rest=$count
        while [ "$rest" -gt 0 ]; do
            demo="$demo $1"
            shift
            rest=$((rest - 1))
        done
        break
    fi
    set -- "$@" "$argument"
done
# What has been put back stands behind what is left, and nothing is left.
"$HIGHWATER" "$@" --help >/dev/null || exit
# What follows `--` in a watch is a command of the user's own.
[ "$1" = watch ] || [ -z "$demo" ] || "$HIGHWATER" demo $demo --help >/dev/null
"#;

/// Notes what it was asked for; the test looks whether it exists.
const CHECKED_CARGO: &str = r#"#!/bin/sh
echo "$*" >>"$PLACE/cargo"
case "$1 $2 $3" in
"run --release --") shift 3; exec highwater "$@" ;;
esac
"#;

/// The script must exist.
const CHECKED_PYTHON: &str = "#!/bin/sh\n[ -e \"$1\" ] || { echo \"python3: no file $1\" >&2; exit 2; }\n";

pub(crate) struct Place {
    directory: TempDir,
}

/// The outcome of a script: the exit code (absent after a signal or the deadline), and its output.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Place {
    pub(crate) fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let place = Place { directory };
        for (name, script) in [
            ("run/highwater", HIGHWATER),
            ("run/cargo", CARGO),
            ("check/highwater", CHECKED_HIGHWATER),
            ("check/cargo", CHECKED_CARGO),
            ("check/python3", CHECKED_PYTHON),
            ("check/head", "#!/bin/sh\n"),
        ] {
            let path = place.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (name, seconds) in [("short.wav", 1), ("long.wav", 2)] {
            fs::write(place.path(name), highwater::audio::make(seconds)).unwrap();
        }
        fs::create_dir(place.path("work")).unwrap();
        symlink(root().join("fixtures"), place.path("work/fixtures")).unwrap();
        symlink(root().join("benches"), place.path("work/benches")).unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a script in full, with settings that make it short.
    pub(crate) fn run(&self, script: &str) -> Ended {
        let path = format!("{}:{}", self.path("run").display(), std::env::var("PATH").unwrap());
        self.sh(script, &path)
    }

    /// Checks the flags and names of a script, and runs nothing: no other program is on the path.
    pub(crate) fn check(&self, script: &str) -> Ended {
        let mut ended = self.sh(script, &self.path("check").display().to_string());
        let asked = fs::read_to_string(self.path("cargo")).unwrap_or_default();
        let _ = fs::remove_file(self.path("cargo"));
        for missing in asked.lines().filter_map(missing_target) {
            ended.code = Some(97);
            ended.said.push_str(&missing);
        }
        ended
    }

    fn sh(&self, script: &str, path: &str) -> Ended {
        let output = self.path("output");
        let file = fs::File::create(&output).unwrap();
        let mut command = Command::new("/bin/sh");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HIGHWATER_") {
                command.env_remove(name);
            }
        }
        let child = command
            .args(["-e", "-u", "-c", script])
            .current_dir(self.path("work"))
            .env("PATH", path)
            .env("PLACE", self.directory.path())
            .env("HIGHWATER", env!("CARGO_BIN_EXE_highwater"))
            .env("HIGHWATER_CACHE_DIR", self.path("cache"))
            .env("HIGHWATER_AUDIO_SHORT", self.path("short.wav"))
            .env("HIGHWATER_AUDIO_LONG", self.path("long.wav"))
            .env("HIGHWATER_SETTLE_QUIET_S", "0.05")
            // One reading per task, as with recordings of minutes.
            .env("HIGHWATER_LEAK_FOR_S", "0")
            .env("HIGHWATER_RAMP_SHORT_S", "0")
            // The blocks run beside each other: a level that waits for a CPU would rightly be INVALID.
            .env("HIGHWATER_RAMP_MAX_LAG_S", "0")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0)
            .spawn()
            .unwrap();
        let code = Group(child).ended();
        Ended { code, said: String::from_utf8_lossy(&fs::read(&output).unwrap()).into_owned() }
    }
}

/// A shell and all that it started; ended when dropped.
struct Group(Child);

impl Group {
    fn ended(mut self) -> Option<i32> {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // An error means that the group has ended already.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A target that a cargo command names and that does not exist.
fn missing_target(arguments: &str) -> Option<String> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    words.windows(2).find_map(|pair| {
        let (folder, name) = match pair {
            ["--test", name] => ("tests", name),
            ["--bench", name] => ("benches", name),
            ["--example", name] | ["-p", name] => ("examples", name),
            _ => return None,
        };
        let stem = root().join(folder).join(name);
        let exists = ["", ".rs"].iter().any(|end| Path::new(&format!("{}{end}", stem.display())).exists());
        (!exists).then(|| format!("cargo {arguments}: no `{name}` in {folder}/\n"))
    })
}
