//! Which of an engine's containers a plan means. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::words::Word;

/// A container as an engine lists it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Listed {
    pub(super) id: String,
    /// Without the slash that engines put before it.
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) is_running: bool,
    /// The ports of this machine that lead to it.
    pub(super) ports: Vec<u16>,
}

/// A container that is meant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub(super) id: String,
    pub(super) name: String,
}

/// The labels by which Docker's and Podman's compose mark their containers.
const SERVICE: [&str; 2] = ["com.docker.compose.service", "io.podman.compose.service"];
const PROJECT: [&str; 2] = ["com.docker.compose.project", "io.podman.compose.project"];

/// The digits of an id that identify a container, as `docker ps` shows them.
const SHORT_ID: usize = 12;

/// As many names as an error lists.
const MOST_NAMES: usize = 12;

impl Listed {
    /// The compose service that it belongs to.
    pub(super) fn service(&self) -> Option<&str> {
        self.label(SERVICE)
    }

    fn label(&self, names: [&str; 2]) -> Option<&str> {
        names.iter().find_map(|name| self.labels.get(*name)).map(String::as_str)
    }
}

/// The containers that `text` means: the one of this name or id, or those of the compose service or with the label. Where
/// some of several run, the others are left over from earlier and are not meant.
///
/// `Ok(Err(…))` says that there is none, and which there are.
///
/// # Errors
/// If several compose projects have such a service.
pub(super) fn choose(all: &[Listed], text: &str) -> Result<Result<Vec<Chosen>, String>, String> {
    let Some(mut found) = matching(all, text) else {
        return Ok(Err(format!("is not there: {}", there_are(all))));
    };
    if found.iter().any(|one| one.is_running) {
        found.retain(|one| one.is_running);
    }
    let by_service = found.iter().all(|one| one.label(SERVICE) == Some(text));
    let projects: BTreeSet<&str> = found.iter().filter_map(|one| one.label(PROJECT)).collect();
    if by_service && projects.len() > 1 {
        let each: Vec<String> = projects.iter().map(|project| format!("`{project}/{text}`")).collect();
        return Err(format!("several compose projects have such a service: say {}", each.join(" or ")));
    }
    Ok(Ok(found.into_iter().map(|one| Chosen { id: one.id.clone(), name: one.name.clone() }).collect()))
}

/// Those that the first way of reading `text` finds: as a name, an id, a service, a label.
fn matching<'a>(all: &'a [Listed], text: &str) -> Option<Vec<&'a Listed>> {
    // A plan that has been validated has no other expression.
    let name = Word::new(text).unwrap_or_else(|_| Word::Exact(text.to_string()));
    let is_id = text.len() >= SHORT_ID && text.chars().all(|digit| digit.is_ascii_hexdigit());
    let of_project = text.split_once('/');
    let label = text.split_once('=');
    let by_name = |one: &Listed| name.fits(&one.name);
    let by_id = |one: &Listed| is_id && one.id.starts_with(text);
    let by_service = |one: &Listed| match of_project {
        Some((project, service)) => {
            one.label(SERVICE) == Some(service) && one.label(PROJECT) == Some(project)
        }
        None => one.label(SERVICE) == Some(text),
    };
    let by_label = |one: &Listed| {
        label.is_some_and(|(name, value)| one.labels.get(name).is_some_and(|has| has == value))
    };
    let ways: [&dyn Fn(&Listed) -> bool; 4] = [&by_name, &by_id, &by_service, &by_label];
    ways.into_iter().find_map(|fits| {
        let found: Vec<&Listed> = all.iter().filter(|one| fits(one)).collect();
        (!found.is_empty()).then_some(found)
    })
}

/// The names that there are, those of running containers first.
fn there_are(all: &[Listed]) -> String {
    if all.is_empty() {
        return "the engine has no container".to_string();
    }
    let mut all: Vec<&Listed> = all.iter().collect();
    all.sort_by_key(|one| (!one.is_running, &one.name));
    let shown = |one: &&Listed| match one.is_running {
        true => format!("`{}`", one.name),
        false => format!("`{}` (stopped)", one.name),
    };
    let names: Vec<String> = all.iter().take(MOST_NAMES).map(shown).collect();
    let more = if all.len() > MOST_NAMES { ", …" } else { "" };
    format!("the engine has {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(id: &str, name: &str, labels: &[(&str, &str)], is_running: bool) -> Listed {
        let labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Listed { id: id.repeat(16), name: name.to_string(), labels, is_running, ports: Vec::new() }
    }

    fn compose<'a>(project: &'a str, service: &'a str) -> [(&'a str, &'a str); 2] {
        [(PROJECT[0], project), (SERVICE[0], service)]
    }

    fn all() -> Vec<Listed> {
        vec![
            listed("aaaa", "asr-worker", &[("app", "asr")], true),
            listed("bbbb", "shop-web-1", &compose("shop", "web"), true),
            listed("cccc", "shop-web-2", &compose("shop", "web"), true),
            listed("dddd", "shop-web-3", &compose("shop", "web"), false),
            listed("eeee", "test-web-1", &compose("test", "web"), false),
            listed("ffff", "worker", &[], false),
        ]
    }

    fn names(text: &str) -> Vec<String> {
        let chosen = choose(&all(), text).unwrap().unwrap();
        chosen.into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn a_name_an_id_a_service_and_a_label_name_containers() {
        assert_eq!(names("asr-worker"), ["asr-worker"]);
        assert_eq!(names("/^asr/"), ["asr-worker"]);
        assert_eq!(names("cccccccccccc"), ["shop-web-2"]);
        assert_eq!(names("app=asr"), ["asr-worker"]);
        assert_eq!(names("worker"), ["worker"], "one that was stopped is meant where no other is");
        assert_eq!(names("web"), ["shop-web-1", "shop-web-2"], "stopped ones are left over");
        assert_eq!(names("test/web"), ["test-web-1"]);
    }

    #[test]
    fn what_is_not_there_or_not_clear_names_what_there_is() {
        let absent = choose(&all(), "asr-wroker").unwrap().unwrap_err();
        assert_eq!(
            absent,
            "is not there: the engine has `asr-worker`, `shop-web-1`, `shop-web-2`, `shop-web-3` (stopped), \
             `test-web-1` (stopped), `worker` (stopped)"
        );
        assert_eq!(choose(&[], "x"), Ok(Err("is not there: the engine has no container".to_string())));
        assert!(choose(&all(), "cccccccc").unwrap().is_err(), "eight digits may be a name");
        let mut all = all();
        all.iter_mut().for_each(|one| one.is_running = true);
        let unclear = choose(&all, "web").unwrap_err();
        assert!(unclear.ends_with("say `shop/web` or `test/web`"), "{unclear}");
    }
}
