//! Where the socket of an engine may be.

use std::path::PathBuf;

/// The sockets to ask, in this order: the one that is `given`, else that of the environment, else those in usual places.
///
/// # Errors
/// A sentence that says why no engine can be asked, and where one was looked for.
pub(super) fn sockets(
    given: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<PathBuf>, String> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let of_environment =
        ["DOCKER_HOST", "CONTAINER_HOST"].into_iter().find_map(|name| Some((name, set(name)?)));
    let named = match given {
        Some(given) => Some(("container_socket", given.to_string())),
        None => of_environment,
    };
    if let Some((name, value)) = named {
        let path = value.strip_prefix("unix://").unwrap_or(&value);
        if !path.starts_with('/') {
            return Err(format!(
                "`{name}` is `{value}`, and highwater asks an engine only through a socket of this machine, such as \
                 `unix:///var/run/docker.sock`"
            ));
        }
        return Ok(vec![PathBuf::from(path)]);
    }
    let usual = usual(&set);
    let found: Vec<PathBuf> = usual.iter().filter(|path| path.exists()).cloned().collect();
    if found.is_empty() {
        let looked: Vec<String> = usual.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(format!(
            "there is no socket of Docker or Podman at {}; start the engine (`systemctl start docker`, or `systemctl \
             start podman.socket`, with `--user` where it runs without root)",
            looked.join(", ")
        ));
    }
    Ok(found)
}

/// Where Docker and Podman put their sockets, with and without root.
fn usual(variable: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("/var/run/docker.sock"), PathBuf::from("/run/podman/podman.sock")];
    let runtime = variable("XDG_RUNTIME_DIR")
        .map_or_else(|| format!("/run/user/{}", rustix::process::getuid().as_raw()).into(), PathBuf::from);
    paths.extend(["docker.sock", "podman/podman.sock"].map(|name| runtime.join(name)));
    paths.extend(variable("HOME").map(|home| PathBuf::from(home).join(".docker/run/docker.sock")));
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: Option<&str>, variables: &[(&str, &str)]) -> Result<Vec<PathBuf>, String> {
        sockets(given, &|name| {
            let value = variables.iter().find(|(other, _)| *other == name);
            value.map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn the_key_comes_before_the_environment_and_that_before_the_usual_places() {
        let both = [("DOCKER_HOST", "unix:///docker.sock"), ("CONTAINER_HOST", "unix:///podman.sock")];
        assert_eq!(of(Some("/mine.sock"), &both), Ok(vec![PathBuf::from("/mine.sock")]));
        assert_eq!(of(None, &both), Ok(vec![PathBuf::from("/docker.sock")]));
        assert_eq!(of(None, &both[1..]), Ok(vec![PathBuf::from("/podman.sock")]));
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("podman/podman.sock");
        std::fs::create_dir(home.path().join("podman")).unwrap();
        std::fs::write(&socket, "").unwrap();
        let runtime = ("XDG_RUNTIME_DIR", home.path().to_str().unwrap());
        assert!(
            of(None, &[("DOCKER_HOST", " "), runtime]).unwrap().contains(&socket),
            "an empty one is none"
        );
    }

    #[test]
    fn an_engine_elsewhere_is_refused_and_names_the_variable() {
        let wrong = of(None, &[("DOCKER_HOST", "tcp://10.0.0.7:2375")]).unwrap_err();
        assert!(wrong.starts_with("`DOCKER_HOST` is `tcp://10.0.0.7:2375`"), "{wrong}");
    }
}
