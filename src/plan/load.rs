//! Finds the configuration on this machine: the only part of the plan that
//! reads a file and the environment.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::env::{CONFIG_VARIABLE, PREFIX};
use super::layer::layer_with_keys;
use super::{Override, Plan};
use crate::error::{Error, ErrorKind, Result};

/// The configuration file that is looked for in the current directory.
pub const DEFAULT_FILE: &str = "highwater.toml";

/// A plan and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The plan.
    pub plan: Plan,
    /// The configuration file that was read, if there is one.
    pub file: Option<PathBuf>,
    /// The keys that the file, a variable or an override gave, by dotted path.
    pub given: BTreeSet<String>,
}

impl Loaded {
    /// True if somebody said which service is meant: by a configuration file,
    /// or by a variable or flag for `preset` or a key of `target` or `processes`. Otherwise
    /// the test suite uses the embedded service.
    pub fn names_a_service(&self) -> bool {
        let service =
            |key: &String| key == "preset" || key.starts_with("target.") || key.starts_with("processes.");
        self.file.is_some() || self.given.iter().any(service)
    }
}

/// The plan of this machine: the defaults, over them the configuration file,
/// over that the `HIGHWATER_…` variables, over that `overrides`.
///
/// The file is `explicit_path`, or what `HIGHWATER_CONFIG` names, or
/// `highwater.toml` in the current directory; only the last may be absent.
///
/// # Errors
/// `Io` if the file cannot be read, and as [`super::layer()`].
pub fn load(explicit_path: Option<&Path>, overrides: &[Override]) -> Result<Plan> {
    load_with_origin(explicit_path, overrides).map(|loaded| loaded.plan)
}

/// As [`load()`], and says where the plan comes from.
///
/// # Errors
/// As [`load()`].
pub fn load_with_origin(explicit_path: Option<&Path>, overrides: &[Override]) -> Result<Loaded> {
    let variables = ours(std::env::vars_os())?;
    load_from(explicit_path, Path::new(DEFAULT_FILE), &variables, overrides)
}

fn load_from(
    explicit_path: Option<&Path>,
    default_path: &Path,
    variables: &[(String, String)],
    overrides: &[Override],
) -> Result<Loaded> {
    let named = variables.iter().find(|(name, path)| name == CONFIG_VARIABLE && !path.is_empty());
    let file = explicit_path
        .or(named.map(|(_, path)| Path::new(path)))
        .or_else(|| default_path.exists().then_some(default_path));
    let text = file.map(read).transpose()?;
    let (plan, given) = layer_with_keys(
        file.zip(text.as_deref()),
        variables.iter().cloned(),
        overrides,
        Some(&|name| std::env::var(name).ok()),
    )?;
    Ok(Loaded { plan, file: file.map(Path::to_path_buf), given })
}

fn read(path: &Path) -> Result<String> {
    crate::files::read_text(path).map_err(|error| {
        Error::new(ErrorKind::Io, format!("cannot read the configuration `{}`", path.display()))
            .source(error)
            .hint("check the path and that the file is readable text; `highwater init` writes one to start from")
    })
}

/// Our variables among `variables`. Others may hold what is not text.
fn ours(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>> {
    let mut ours = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let value = value.into_string().map_err(|_| {
            Error::new(ErrorKind::Config, format!("environment variable `{name}` is not UTF-8 text"))
        })?;
        ours.push((name.to_string(), value));
    }
    Ok(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[(&str, &str)]) -> Vec<(String, String)> {
        words.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_named_file_is_read_and_must_exist() {
        let home = tempfile::TempDir::new().unwrap();
        let path = |name: &str| home.path().join(name);
        let write = |name: &str, repeats: u32| {
            std::fs::write(path(name), format!("[leak]\nrepeats = {repeats}\n")).unwrap();
        };
        let from = |explicit: Option<&Path>, variables: &[(&str, &str)]| {
            load_from(explicit, &path("default.toml"), &words(variables), &[Override::value("ramp.max", 7)])
        };
        assert_eq!(from(None, &[]).unwrap().file, None, "the default file may be absent");
        write("default.toml", 2);
        write("variable.toml", 3);
        write("explicit.toml", 4);
        let loaded = from(None, &[]).unwrap();
        assert_eq!((loaded.plan.leak.repeats, loaded.plan.ramp.max), (2, 7));
        let by_variable = [(CONFIG_VARIABLE, path("variable.toml").to_str().unwrap().to_string())];
        let by_variable: Vec<(&str, &str)> =
            by_variable.iter().map(|(name, path)| (*name, path.as_str())).collect();
        assert_eq!(from(None, &by_variable).unwrap().plan.leak.repeats, 3);
        assert_eq!(from(None, &[(CONFIG_VARIABLE, "")]).unwrap().plan.leak.repeats, 2);
        let loaded = from(Some(&path("explicit.toml")), &by_variable).unwrap();
        assert_eq!((loaded.plan.leak.repeats, loaded.file), (4, Some(path("explicit.toml"))));

        let missing = path("missing.toml");
        let error = from(Some(&missing), &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(error.to_string(), format!("cannot read the configuration `{}`", missing.display()));
        assert!(error.hint_text().unwrap().contains("highwater init"));
    }

    #[test]
    fn only_a_file_or_a_key_of_the_service_names_a_service() {
        let nowhere = Path::new("/nonexistent/highwater.toml");
        let names = |variables: &[(&str, &str)], overrides: &[(&str, &str)]| {
            let overrides: Vec<Override> =
                overrides.iter().map(|(key, text)| Override::text(*key, *text)).collect();
            load_from(None, nowhere, &words(variables), &overrides).unwrap().names_a_service()
        };
        assert!(!names(&[], &[]));
        assert!(!names(
            &[("HIGHWATER_RESULTS", "out"), ("HIGHWATER_LOG", "debug")],
            &[("leak.repeats", "1")]
        ));
        assert!(names(&[("HIGHWATER_URL", "http://localhost:8000")], &[]), "also when it is the default");
        assert!(names(&[], &[("processes.worker.pid", "1")]));
    }

    #[cfg(unix)]
    #[test]
    fn only_our_variables_must_be_text() {
        use std::os::unix::ffi::OsStringExt;
        let odd = || OsString::from_vec(vec![0xFF]);
        assert_eq!(ours([("OTHER".into(), odd())].into_iter()).unwrap(), []);
        let error = ours([("HIGHWATER_RESULTS".into(), odd())].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "environment variable `HIGHWATER_RESULTS` is not UTF-8 text");
    }
}
