//! `mprofile_*.dat`, which `mprof run` of memory_profiler writes: `MEM 36.24 1795803548.2153`, in MiB. Pure.

use super::lines;
use crate::readings::amount::MemoryUnit;
use crate::readings::table::Table;

pub(super) fn table(text: &str) -> Option<Table> {
    let begins =
        |line: &str| ["CMDLINE ", "MEM ", "CHLD ", "FUNC "].iter().any(|word| line.starts_with(word));
    if !lines(text).next().is_some_and(|(_, line)| begins(line)) {
        return None;
    }
    let columns = ["time", "tree", "process", "MEM"].map(str::to_string).to_vec();
    let mut table = Table {
        unit: Some(MemoryUnit::Megabytes),
        memory: Some(3),
        time: Some(0),
        looks: true,
        ..Table::new("mprof", columns)
    };
    let mut tree = "mprof";
    for (line, text) in lines(text) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (process, mb, time) = match words[..] {
            ["CMDLINE", ..] => {
                tree = text["CMDLINE".len()..].trim();
                continue;
            }
            ["MEM", mb, time] => ("parent".to_string(), mb, time),
            // `mprof run --multiprocess` writes a line for each child.
            ["CHLD", child, mb, time] => (format!("child {child}"), mb, time),
            _ => continue,
        };
        table.push(line, vec![time.to_string(), tree.to_string(), process, mb.to_string()]);
    }
    (!table.rows.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_and_its_children_have_rows_of_their_own() {
        let text =
            "CMDLINE python3 app.py\nMEM 36.2 100.1\nCHLD 0 20.5 100.1\nFUNC f 1 2 3 4\nMEM 37.2 100.2\n";
        let table = table(text).unwrap();
        assert_eq!(table.rows.len(), 3);
        assert_eq!(table.rows[1].cells, ["100.1", "python3 app.py", "child 0", "20.5"]);
        assert!(super::table("MEMORY 5\n").is_none());
    }
}
