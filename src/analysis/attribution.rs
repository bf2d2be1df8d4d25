//! Where something grew: two looks at what the worker's processes consist of, one from the other. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::finding::Finding;
use crate::record::{
    Anatomy, CriterionId, DescriptorKind, Event, Moment, Place, RunData, Verdict, as_sentence,
};
use crate::units::round;

/// Places that grew by less than this, in MB, explain nothing.
const LEAST_MB: f64 = 1.0;

/// Places with less than this share of all growth are noise beside the others.
const LEAST_SHARE: f64 = 0.05;

/// A few descriptors, threads or children more are a pool that fills; at least so many explain something.
const LEAST_COUNT: u32 = 3;

/// Where the worker grew between warm-up and the end of the leak check.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize)]
pub struct Attribution {
    /// Memory, the place with the largest growth first.
    pub memory: Vec<GrownMemory>,
    /// Descriptors, threads and processes, the largest growth first.
    pub counts: Vec<GrownCount>,
    /// Why memory is not told, if it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

/// Memory that grew in one place.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct GrownMemory {
    /// Where.
    pub place: Place,
    /// By how much, in MB.
    pub mb: f64,
    /// Its share of all that grew, in percent.
    pub percent: f64,
    /// What of it grew most: a size class, a file, a segment.
    pub most: String,
    /// The mappings that came, of all its kinds; negative if there are fewer.
    pub mappings: i64,
    /// What such growth usually is, and the cheapest next experiment; a sentence in files.
    #[serde(serialize_with = "as_sentence")]
    #[schemars(with = "String")]
    pub hint: Hint,
}

/// Things that can be counted and of which there are more.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct GrownCount {
    /// What they are; in files `sockets`, `threads named leaked`.
    #[serde(serialize_with = "as_sentence")]
    #[schemars(with = "String")]
    pub what: GrownThing,
    /// How many there were after warm-up.
    pub before: u32,
    /// How many there were at the end.
    pub after: u32,
    /// What such growth usually is, and the cheapest next experiment; a sentence in files.
    #[serde(serialize_with = "as_sentence")]
    #[schemars(with = "String")]
    pub hint: Hint,
}

impl Attribution {
    /// True if nothing worth the name grew.
    pub fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.counts.is_empty()
    }
}

/// Things that can be counted and of which there are more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrownThing {
    /// Open descriptors of a kind.
    Descriptors {
        /// Which.
        kind: DescriptorKind,
        /// The name of which most came, where they have names.
        most: Option<String>,
    },
    /// Threads of a name.
    Threads {
        /// The name.
        name: String,
    },
    /// Processes of a name.
    Processes {
        /// The name.
        name: String,
    },
    /// Children that have ended and that nobody has waited for.
    Zombies,
}

/// About what a hint is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Memory that grew.
    Memory {
        /// Where.
        place: Place,
        /// True if there are more mappings than before.
        more_mappings: bool,
    },
    /// Descriptors of this kind.
    Descriptors(DescriptorKind),
    /// Threads.
    Threads,
    /// Processes.
    Processes,
    /// Zombies.
    Zombies,
}

/// Where the worker grew in the leak check of a run; nothing if its log does not hold two looks, or
/// if there is nothing to explain.
///
/// Memory is explained where one of `findings` about it did not pass: what fills and stays
/// needs no explanation. Descriptors, threads and processes have no such criterion, so that more of
/// them are told in any case.
pub fn attributed(run: &RunData, findings: &[Finding]) -> Option<Attribution> {
    let mut found = looked_at(run, None)?;
    let open = findings.iter().any(|found| {
        let asks =
            found.id.asks_what_is_retained() || found.id.is_probe() || found.id == CriterionId::CompareGrowth;
        asks && found.verdict != Verdict::Pass
    });
    if !open {
        found.memory.clear();
        found.unread = None;
    }
    (!found.is_empty() || found.unread.is_some()).then_some(found)
}

/// Where the memory of a role other than the worker grew, by role: of those whose growth did not pass.
pub fn attributed_roles(run: &RunData, findings: &[Finding]) -> BTreeMap<String, Attribution> {
    let open = findings.iter().filter(|found| found.verdict != Verdict::Pass);
    let roles = open.filter_map(|found| match &found.id {
        CriterionId::LeakGrowthOf(role) => Some(role),
        _ => None,
    });
    let found = roles.filter_map(|role| Some((role.clone(), looked_at(run, Some(role))?)));
    found.filter(|(_, found)| !found.is_empty()).collect()
}

/// What grew between the two looks at a role; without one, at the worker.
fn looked_at(run: &RunData, wanted_role: Option<&str>) -> Option<Attribution> {
    let look = |wanted: Moment| {
        run.events.iter().rev().find_map(|record| match &record.event {
            Event::Anatomy { moment, role, anatomy }
                if *moment == wanted && role.as_deref() == wanted_role =>
            {
                Some(anatomy)
            }
            _ => None,
        })
    };
    Some(attribute(look(Moment::Baseline)?, look(Moment::Final)?))
}

/// Where what was `before` has become more `after`.
pub fn attribute(before: &Anatomy, after: &Anatomy) -> Attribution {
    let unread = before.unread.clone().or_else(|| after.unread.clone());
    let memory = if unread.is_some() { Vec::new() } else { grown_memory(before, after) };
    let mut counts = grown_counts(before, after);
    counts.sort_by_key(|grown| std::cmp::Reverse(grown.after - grown.before));
    Attribution { memory, counts, unread }
}

fn grown_memory(before: &Anatomy, after: &Anatomy) -> Vec<GrownMemory> {
    // Kinds within a place: neighbouring blocks become one mapping, so that the
    // growth of one size class is a loss of another; what counts is the place.
    let mut kinds: BTreeMap<(Place, &str), (f64, i64)> = BTreeMap::new();
    for (anatomy, sign) in [(after, 1.0), (before, -1.0)] {
        for part in &anatomy.memory {
            let kind = kinds.entry((part.place, &part.name)).or_default();
            kind.0 += sign * part.mb;
            kind.1 += sign as i64 * i64::from(part.mappings);
        }
    }
    let mut places: BTreeMap<Place, GrownMemory> = BTreeMap::new();
    for ((place, name), (mb, mappings)) in kinds {
        let grown = places.entry(place).or_insert_with(|| GrownMemory {
            place,
            mb: 0.0,
            percent: 0.0,
            most: name.to_string(),
            mappings: 0,
            hint: Hint::Memory { place, more_mappings: false },
        });
        grown.mb += mb;
        grown.mappings += mappings;
        // While a place is added up, `percent` holds the growth of what grew most.
        if mb > grown.percent {
            grown.percent = mb;
            grown.most = name.to_string();
        }
    }
    let all: f64 = places.values().map(|grown| grown.mb.max(0.0)).sum();
    let mut grown: Vec<GrownMemory> = places
        .into_values()
        .filter(|grown| grown.mb >= LEAST_MB && grown.mb >= LEAST_SHARE * all)
        .map(|grown| GrownMemory {
            hint: Hint::Memory { place: grown.place, more_mappings: grown.mappings > 0 },
            percent: round(100.0 * grown.mb / all, 0),
            mb: round(grown.mb, 1),
            ..grown
        })
        .collect();
    grown.sort_by(|a, b| b.mb.total_cmp(&a.mb));
    grown
}

fn grown_counts(before: &Anatomy, after: &Anatomy) -> Vec<GrownCount> {
    let mut grown: Vec<GrownCount> = Vec::new();
    let kinds =
        [DescriptorKind::Socket, DescriptorKind::Pipe, DescriptorKind::File, DescriptorKind::AnonInode];
    for kind in kinds {
        let count = |anatomy: &Anatomy| -> u32 {
            anatomy.descriptors.iter().filter(|part| part.kind == kind).map(|part| part.count).sum()
        };
        let most = most_of(kind, before, after).filter(|name| !name.is_empty());
        let what = GrownThing::Descriptors { kind, most };
        grown.extend(more(what, count(before), count(after), Hint::Descriptors(kind)));
    }
    let (thread, process) = (|name| GrownThing::Threads { name }, |name| GrownThing::Processes { name });
    grown.extend(named(thread, &before.threads, &after.threads, Hint::Threads));
    grown.extend(named(process, &before.processes, &after.processes, Hint::Processes));
    grown.extend(more(GrownThing::Zombies, before.zombies, after.zombies, Hint::Zombies));
    grown
}

fn more(what: GrownThing, before: u32, after: u32, hint: Hint) -> Option<GrownCount> {
    (after >= before + LEAST_COUNT).then_some(GrownCount { what, before, after, hint })
}

/// The name of which most came.
fn most_of(kind: DescriptorKind, before: &Anatomy, after: &Anatomy) -> Option<String> {
    let had = |name: &str| {
        let known = before.descriptors.iter().find(|part| part.kind == kind && part.name == name);
        known.map_or(0, |part| i64::from(part.count))
    };
    let came = after.descriptors.iter().filter(|part| part.kind == kind);
    came.max_by_key(|part| i64::from(part.count) - had(&part.name)).map(|part| part.name.clone())
}

fn named(
    what: fn(String) -> GrownThing,
    before: &BTreeMap<String, u32>,
    after: &BTreeMap<String, u32>,
    hint: Hint,
) -> Vec<GrownCount> {
    after
        .iter()
        .filter_map(|(name, count)| {
            more(what(name.clone()), before.get(name).copied().unwrap_or(0), *count, hint)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{DescriptorPart, MemoryPart};

    fn memory(parts: &[(Place, &str, f64, u32)]) -> Anatomy {
        let part = |&(place, name, mb, mappings): &(Place, &str, f64, u32)| MemoryPart {
            place,
            name: name.to_string(),
            mb,
            mappings,
        };
        Anatomy { memory: parts.iter().map(part).collect(), ..Anatomy::default() }
    }

    #[test]
    fn growth_is_told_by_place_largest_first_and_noise_is_not() {
        let before = memory(&[(Place::Heap, "brk", 10.0, 1), (Place::Files, "/lib/a.so", 5.0, 3)]);
        let after = memory(&[
            (Place::Heap, "brk", 20.0, 1),
            (Place::Shared, "/dev/shm/psm_#", 90.0, 18),
            (Place::Files, "/lib/a.so", 6.2, 3),
        ]);
        let found = attribute(&before, &after);
        let sentences: Vec<String> = found.memory.iter().map(ToString::to_string).collect();
        assert_eq!(
            sentences,
            [
                "shared memory: +90.0 MB (89 % of the growth), most of it `/dev/shm/psm_#` (+18 mappings)",
                "the heap: +10.0 MB (10 % of the growth)"
            ]
        );
    }

    #[test]
    fn blocks_that_grow_together_are_one_growth() {
        let before = memory(&[(Place::Anonymous, "1 to 16 MB", 12.0, 2)]);
        let after = memory(&[(Place::Anonymous, "16 to 64 MB", 60.0, 1)]);
        let found = attribute(&before, &after);
        assert_eq!((found.memory.len(), found.memory[0].mb), (1, 48.0));
        assert!(found.memory[0].to_string().contains("most of it in mappings of 16 to 64 MB"), "{found:?}");
    }

    #[test]
    fn arenas_that_grow_without_new_ones_are_no_matter_of_threads() {
        let arenas = |mb, count| memory(&[(Place::Arenas, "arenas", mb, count)]);
        let hint = |after| attribute(&arenas(10.0, 2), &after).memory[0].hint.to_string();
        assert!(hint(arenas(40.0, 2)).starts_with("no arena came"), "{}", hint(arenas(40.0, 2)));
        assert!(hint(arenas(140.0, 4)).contains("MALLOC_ARENA_MAX"));
    }

    #[test]
    fn counts_are_told_by_kind_and_name() {
        let part = |kind, name: &str, count| DescriptorPart { kind, name: name.to_string(), count };
        let before = Anatomy {
            descriptors: vec![
                part(DescriptorKind::Socket, "", 2),
                part(DescriptorKind::File, "/dev/null", 3),
            ],
            threads: BTreeMap::from([("python".to_string(), 1)]),
            ..Anatomy::default()
        };
        let after = Anatomy {
            descriptors: vec![
                part(DescriptorKind::Socket, "", 4),
                part(DescriptorKind::File, "/dev/null", 3),
                part(DescriptorKind::File, "/tmp/upload-#", 20),
            ],
            threads: BTreeMap::from([("python".to_string(), 1), ("leaked".to_string(), 12)]),
            zombies: 5,
            ..Anatomy::default()
        };
        let found = attribute(&before, &after);
        let sentences: Vec<String> = found.counts.iter().map(ToString::to_string).collect();
        assert_eq!(
            sentences,
            [
                "open files, most of them `/tmp/upload-#`: 3 after warm-up, 23 at the end",
                "threads named `leaked`: 0 after warm-up, 12 at the end",
                "zombies: 0 after warm-up, 5 at the end",
            ]
        );
    }

    #[test]
    fn what_shrinks_or_was_not_read_is_no_growth() {
        let (small, large) =
            (memory(&[(Place::Heap, "brk", 5.0, 1)]), memory(&[(Place::Heap, "brk", 50.0, 1)]));
        assert!(attribute(&large, &small).is_empty());
        let unread = Anatomy { unread: Some("denied".to_string()), ..Anatomy::default() };
        let found = attribute(&unread, &large);
        assert!(found.is_empty() && found.unread.as_deref() == Some("denied"));
    }
}
