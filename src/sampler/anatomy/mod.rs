//! The anatomy of a process tree, read from `/proc` before and after the growth that it explains.
//!
//! Reading `smaps` walks the page tables of a process and locks its address space
//! meanwhile, for some milliseconds a gigabyte. So it is read while memory is quiet
//! and no task is in flight, and never on a tick. `smaps` and `names` are pure.

mod names;
mod smaps;
#[cfg(fuzzing)]
pub(crate) use smaps::any_bytes as any_smaps;

use std::fs;
use std::io;
use std::path::Path;

use crate::record::{Anatomy, DescriptorPart};

/// The number of descriptor names that are kept, the commonest first; the rest is only counted.
const NAMES: usize = 20;

/// Why memory was not read by where it is.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It would have stalled the processes for too long.
    TooExpensive,
    /// Reading failed.
    Failed(io::Error),
}

/// Reads the anatomy of the processes `pids`; exited processes are left out.
///
/// Set `with_memory` to false where reading `smaps` would cost too much; `unread` then gives the reason.
pub fn anatomy(pids: &[u32], with_memory: bool) -> Anatomy {
    let mut anatomy = Anatomy::default();
    if !with_memory {
        anatomy.unread = Some(Unread::TooExpensive.to_string());
    }
    for &pid in pids {
        add(&mut anatomy, &Path::new("/proc").join(pid.to_string()), with_memory);
    }
    anatomy.memory.sort_by(|a, b| b.mb.total_cmp(&a.mb));
    anatomy.descriptors.sort_by_key(|part| (std::cmp::Reverse(part.count), part.kind, part.name.clone()));
    fold_rest(&mut anatomy.descriptors);
    anatomy
}

fn add(anatomy: &mut Anatomy, process: &Path, with_memory: bool) {
    let Ok(name) = fs::read_to_string(process.join("comm")) else { return };
    if with_memory {
        match fs::read(process.join("smaps")) {
            Ok(bytes) => {
                for part in smaps::parts(&smaps::mappings(&bytes)) {
                    smaps::add(&mut anatomy.memory, part);
                }
            }
            Err(error) => anatomy.unread = Some(Unread::Failed(error).to_string()),
        }
    }
    *anatomy.processes.entry(names::plain(&name)).or_default() += 1;
    for thread in entries(&process.join("task")) {
        if let Ok(name) = fs::read_to_string(thread.join("comm")) {
            *anatomy.threads.entry(names::plain(&name)).or_default() += 1;
        }
        if let Ok(children) = fs::read_to_string(thread.join("children")) {
            anatomy.zombies +=
                children.split_ascii_whitespace().filter(|child| is_zombie(child)).count() as u32;
        }
    }
    for link in entries(&process.join("fd")).filter_map(|entry| fs::read_link(entry).ok()) {
        let (kind, name) = names::descriptor(&link.to_string_lossy());
        match anatomy.descriptors.iter_mut().find(|part| part.kind == kind && part.name == name) {
            Some(part) => part.count += 1,
            None => anatomy.descriptors.push(DescriptorPart { kind, name, count: 1 }),
        }
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(directory).into_iter().flatten().filter_map(|entry| entry.ok().map(|entry| entry.path()))
}

fn is_zombie(pid: &str) -> bool {
    // The name, which comes before the state, may itself contain brackets.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}

/// Merges the rarest names of each kind, so that a record stays small whatever a service opens.
fn fold_rest(parts: &mut Vec<DescriptorPart>) {
    if parts.len() <= NAMES {
        return;
    }
    for part in parts.split_off(NAMES) {
        match parts.iter_mut().find(|known| known.kind == part.kind && known.name == "others") {
            Some(known) => known.count += part.count,
            None => parts.push(DescriptorPart { name: "others".to_string(), ..part }),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::record::{DescriptorKind, Place};

    #[test]
    fn this_process_is_made_of_what_it_is_made_of() {
        let kept = std::hint::black_box(vec![1_u8; 40 << 20]);
        let pipe = io::pipe().unwrap();
        let found = anatomy(&[std::process::id()], true);
        let anonymous = found.memory.iter().filter(|part| part.place == Place::Anonymous);
        assert!(anonymous.map(|part| part.mb).sum::<f64>() >= 40.0, "{found:?}");
        assert!(found.memory.iter().any(|part| part.place == Place::Files), "{found:?}");
        let pipes = found.descriptors.iter().filter(|part| part.kind == DescriptorKind::Pipe);
        assert!(pipes.map(|part| part.count).sum::<u32>() >= 2, "{found:?}");
        assert!(found.threads.values().sum::<u32>() >= 1 && found.processes.len() == 1);
        drop((kept, pipe));
    }

    #[test]
    fn a_process_that_is_gone_is_left_out() {
        assert_eq!(anatomy(&[u32::MAX], true), Anatomy::default());
    }

    #[test]
    fn many_names_are_folded() {
        let part = |index: u32| DescriptorPart {
            kind: DescriptorKind::File,
            name: format!("/{}", char::from_u32('a' as u32 + index).unwrap()),
            count: 1,
        };
        let mut parts: Vec<DescriptorPart> = (0..25).map(part).collect();
        fold_rest(&mut parts);
        assert_eq!((parts.len(), parts[20].name.as_str(), parts[20].count), (21, "others", 5));
    }
}
