//! Parses `/proc/PID/smaps` into mappings, and classifies the mappings. Pure.

use crate::record::{MemoryPart, Place};
use crate::units::MB;

use super::names::plain;

/// The size and the alignment of the heap that glibc reserves for a thread's arena (`HEAP_MAX_SIZE` of
/// malloc/arena.c).
const ARENA: u64 = 64 * 1024 * 1024;

/// The largest guard below a thread's stack: it is a page or a few.
const GUARD: u64 = 64 * 1024;

/// One mapping of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mapping {
    start: u64,
    end: u64,
    /// `rw-p`.
    access: String,
    /// The file or the name in brackets; empty for anonymous memory.
    path: String,
    rss_kb: u64,
    pss_kb: Option<u64>,
    swap_kb: u64,
    swap_pss_kb: Option<u64>,
}

/// The mappings in the order of the file; unknown lines are skipped.
pub(super) fn mappings(bytes: &[u8]) -> Vec<Mapping> {
    let mut found: Vec<Mapping> = Vec::new();
    for line in bytes.split(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        let Some(first) = words.next() else { continue };
        match first.strip_suffix(':') {
            Some(field) => {
                let Some(mapping) = found.last_mut() else { continue };
                let kb = words.next().and_then(|word| word.parse::<u64>().ok());
                match (field, kb) {
                    ("Rss", Some(kb)) => mapping.rss_kb = kb,
                    ("Pss", Some(kb)) => mapping.pss_kb = Some(kb),
                    ("Swap", Some(kb)) => mapping.swap_kb = kb,
                    ("SwapPss", Some(kb)) => mapping.swap_pss_kb = Some(kb),
                    _ => {}
                }
            }
            None => found.extend(header(first, &line)),
        }
    }
    found
}

/// `7f12a000-7f13a000 rw-p 00000000 00:00 0      /a path with spaces (deleted)`
fn header(range: &str, line: &str) -> Option<Mapping> {
    let (start, end) = range.split_once('-')?;
    let address = |hex: &str| u64::from_str_radix(hex, 16).ok();
    let mut rest = line;
    let mut fields = Vec::new();
    for _ in 0..5 {
        let (field, after) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
        fields.push(field);
        rest = after;
    }
    Some(Mapping {
        start: address(start)?,
        end: address(end)?,
        access: (*fields.get(1)?).to_string(),
        path: rest.trim().to_string(),
        ..Mapping::default()
    })
}

impl Mapping {
    fn bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    fn is_anonymous(&self, access: &str) -> bool {
        self.path.is_empty() && self.access == access
    }

    /// Its memory: shared pages in proportion, where the kernel reports that.
    fn kb(&self) -> u64 {
        self.pss_kb.unwrap_or(self.rss_kb).saturating_add(self.swap_pss_kb.unwrap_or(self.swap_kb))
    }
}

/// The mappings of one process, added up by kind and name.
pub(super) fn parts(mappings: &[Mapping]) -> Vec<MemoryPart> {
    let mut parts: Vec<MemoryPart> = Vec::new();
    for (index, mapping) in mappings.iter().enumerate() {
        let below = index.checked_sub(1).map(|below| &mappings[below]);
        let Some((place, name)) = classify(mapping, below, mappings.get(index + 1)) else { continue };
        add(&mut parts, MemoryPart { place, name, mb: mapping.kb() as f64 * 1024.0 / MB, mappings: 1 });
    }
    parts.retain(|part| part.mb > 0.0);
    parts
}

/// Adds a part to those of its kind.
pub(super) fn add(parts: &mut Vec<MemoryPart>, part: MemoryPart) {
    match parts.iter_mut().find(|known| known.place == part.place && known.name == part.name) {
        Some(known) => {
            known.mb += part.mb;
            known.mappings += part.mappings;
        }
        None => parts.push(part),
    }
}

fn classify(mapping: &Mapping, below: Option<&Mapping>, above: Option<&Mapping>) -> Option<(Place, String)> {
    let path = mapping.path.as_str();
    let shared = ["/dev/shm/", "/memfd:", "/SYSV", "/dev/zero", "/run/shm/", "[anon_shmem:"];
    if mapping.access.starts_with("---") {
        // A guard or reserved address space: no page of it can be used.
        return None;
    }
    if path.starts_with("[heap]") {
        return Some((Place::Heap, "brk".to_string()));
    }
    if path.starts_with("[stack") {
        return Some((Place::Stacks, "stacks".to_string()));
    }
    if shared.iter().any(|prefix| path.starts_with(prefix)) {
        return Some((Place::Shared, plain(path)));
    }
    if let Some(name) = path.strip_prefix("[anon:") {
        return Some((Place::Anonymous, plain(name.trim_end_matches(']'))));
    }
    if path.starts_with('[') {
        // The kernel's own mappings: vdso, vvar.
        return None;
    }
    if !path.is_empty() {
        return Some((Place::Files, plain(path)));
    }
    if is_arena(mapping, above) {
        return Some((Place::Arenas, "of 64 MB".to_string()));
    }
    if is_stack(mapping, below) {
        return Some((Place::Stacks, "stacks".to_string()));
    }
    Some((Place::Anonymous, size_class(mapping.bytes()).to_string()))
}

/// The used part of an arena begins at its aligned start; the rest of its 64 MB is not accessible yet.
fn is_arena(mapping: &Mapping, above: Option<&Mapping>) -> bool {
    let aligned = mapping.start.is_multiple_of(ARENA) && mapping.access == "rw-p";
    let reserved = above.is_some_and(|above| {
        above.is_anonymous("---p") && above.start == mapping.end && above.end >= mapping.start + ARENA
    });
    aligned && mapping.bytes() <= ARENA && (reserved || mapping.bytes() == ARENA)
}

/// A thread's stack has an inaccessible guard below it.
fn is_stack(mapping: &Mapping, below: Option<&Mapping>) -> bool {
    mapping.access == "rw-p"
        && below.is_some_and(|below| {
            below.is_anonymous("---p") && below.end == mapping.start && below.bytes() <= GUARD
        })
}

/// The kernel merges neighbouring mappings of a kind, so this is the class of the merged mapping.
fn size_class(bytes: u64) -> &'static str {
    const MIB: u64 = 1024 * 1024;
    match bytes {
        _ if bytes < MIB => "below 1 MB",
        _ if bytes < 16 * MIB => "1 to 16 MB",
        _ if bytes < 64 * MIB => "16 to 64 MB",
        _ => "64 MB and more",
    }
}

/// Reads any bytes, for tests that change them.
#[cfg(any(test, fuzzing))]
pub(crate) fn any_bytes(bytes: &[u8]) {
    drop(parts(&mappings(bytes)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_mappings_or_nothing() {
        let whole = mapping("7f0000000000-7f0000002000", "rw-p", "[heap]", 8)
            + &mapping("7f0000002000-7f0000004000", "rw-s", "/dev/shm/x (deleted)", 4);
        crate::mutation_tests::survives(&[whole.as_bytes()], any_bytes);
    }

    fn mapping(range: &str, access: &str, path: &str, kb: u64) -> String {
        format!(
            "{range} {access} 00000000 00:00 0          {path}\nSize:  8 kB\nRss:   {kb} kB\nPss:  {kb} kB\n\
             Anonymous: {kb} kB\nSwap:   0 kB\nSwapPss:   0 kB\nVmFlags: rd wr mr mw\n"
        )
    }

    fn places(text: &str) -> Vec<(Place, String, f64)> {
        parts(&mappings(text.as_bytes())).into_iter().map(|part| (part.place, part.name, part.mb)).collect()
    }

    #[test]
    fn every_kind_of_mapping_is_known_by_its_signature() {
        let text = [
            mapping("55e000000000-55e000100000", "rw-p", "[heap]", 1024),
            // An arena: aligned to 64 MB, with its unused part above it.
            mapping("7f0000000000-7f0000400000", "rw-p", "", 4096),
            mapping("7f0000400000-7f0004000000", "---p", "", 0),
            // A stack: a guard below it.
            mapping("7f0010000000-7f0010001000", "---p", "", 0),
            mapping("7f0010001000-7f0010801000", "rw-p", "", 2048),
            // A large block.
            mapping("7f0020100000-7f0021500000", "rw-p", "", 20480),
            mapping("7f0030000000-7f0031400000", "rw-s", "/memfd:leak (deleted)", 3072),
            mapping("7f0040000000-7f0041400000", "rw-s", "/dev/shm/psm_ab12", 1024),
            mapping("7f0050000000-7f0051400000", "r--p", "/usr/lib/a library.so.6", 512),
            mapping("7ffc00000000-7ffc00020000", "rw-p", "[stack]", 512),
            mapping("7ffc00030000-7ffc00032000", "r-xp", "[vdso]", 8),
        ]
        .concat();
        assert_eq!(
            places(&text),
            [
                (Place::Heap, "brk".to_string(), 1.0),
                (Place::Arenas, "of 64 MB".to_string(), 4.0),
                (Place::Stacks, "stacks".to_string(), 2.5),
                (Place::Anonymous, "16 to 64 MB".to_string(), 20.0),
                (Place::Shared, "/memfd:leak".to_string(), 3.0),
                (Place::Shared, "/dev/shm/psm_ab#".to_string(), 1.0),
                (Place::Files, "/usr/lib/a library.so.#".to_string(), 0.5),
            ]
        );
    }

    #[test]
    fn an_aligned_block_without_a_reserve_is_no_arena() {
        let text = mapping("7f0000000000-7f0000400000", "rw-p", "", 4096);
        assert_eq!(places(&text)[0].0, Place::Anonymous);
    }

    #[test]
    fn shared_pages_count_in_their_share_and_swap_counts() {
        let text = "1000-2000 rw-p 00000000 00:00 0 \nRss: 2048 kB\nPss: 1024 kB\nSwap: 512 kB\n";
        assert_eq!(places(text)[0].2, 1.5);
    }

    #[test]
    fn what_is_cut_short_or_strange_is_passed_over() {
        assert_eq!(mappings(b""), []);
        assert_eq!(mappings(b"Rss: 5 kB\nnonsense\n\xff\xfe\nxyz-123 rw-p"), []);
        assert_eq!(mappings(b"1000-2000 rw-p 00000000 00:00 0\nRss: x kB")[0].rss_kb, 0);
    }
}
