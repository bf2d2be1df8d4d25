//! `massif.out`, the snapshots of the heap that `valgrind --tool=massif` writes, in bytes. Pure.

use super::lines;
use crate::readings::amount::MemoryUnit;
use crate::readings::table::Table;

pub(super) fn table(text: &str) -> Option<Table> {
    if !text.starts_with("desc: ") || !text.contains("\nsnapshot=") {
        return None;
    }
    let unit = lines(text).find_map(|(_, line)| line.strip_prefix("time_unit: ")).unwrap_or("i").trim();
    // Instructions and bytes allocated are no time.
    let timed = unit == "ms";
    let columns =
        [if timed { "time_ms" } else { "instructions" }, "mem_heap_B + mem_heap_extra_B + mem_stacks_B"];
    let mut table = Table {
        unit: Some(MemoryUnit::Bytes),
        memory: Some(1),
        time: timed.then_some(0),
        looks: true,
        ..Table::new("massif", columns.map(str::to_string).to_vec())
    };
    if !timed {
        table.notes.push(format!(
            "its snapshots stand at {}, not at times: `valgrind --time-unit=ms` makes it a rate per hour",
            if unit == "B" { "bytes allocated" } else { "instructions" }
        ));
    }
    let mut time = "";
    let mut bytes = 0.0;
    for (number, line) in lines(text) {
        let Some((key, value)) = line.split_once('=') else { continue };
        match key {
            "time" => (time, bytes) = (value, 0.0),
            "mem_heap_B" | "mem_heap_extra_B" | "mem_stacks_B" => bytes += value.parse().unwrap_or(0.0),
            "heap_tree" => table.push(number, vec![time.to_string(), format!("{bytes}")]),
            _ => {}
        }
    }
    // The first snapshot is of a program that has not begun.
    table.rows.retain(|row| row.cell(1) != "0");
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heap_overhead_and_stacks_are_added() {
        let text = "desc: x\ncmd: y\ntime_unit: ms\n#-----------\nsnapshot=0\ntime=0\nmem_heap_B=0\n\
                    mem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=empty\nsnapshot=1\ntime=5\nmem_heap_B=100\n\
                    mem_heap_extra_B=8\nmem_stacks_B=16\nheap_tree=detailed\nn0: 5 x\n";
        let table = table(text).unwrap();
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.rows[0].cells, ["5", "124"]);
        assert_eq!(table.time, Some(0));
    }
}
