//! Columns with spaces between them under a header: `ps`, `top -b`, `pidstat`, `sar`, `docker stats`, `podman stats`,
//! `kubectl top`, psrecord, `highwater watch`, `free`. Pure.
//!
//! A loop repeats the header, and puts other lines between the rows. Titles and cells may hold spaces (`MEM USAGE /
//! LIMIT`, `36.2MiB / 23.5GiB`, a command with its arguments): a line is split at two spaces or more where that gives as
//! many cells as titles, at every space otherwise, and by the place of the titles where neither does.

use super::lines;
use crate::readings::amount::{self, Cell, Decimal, MemoryUnit};
use crate::readings::clock;
use crate::readings::columns::{self, Holds, Names};
use crate::readings::table::Table;

/// What `ps` and `top` call the time of a CPU.
const CPU_TIMES: [&str; 5] = ["TIME", "ZEIT", "TEMPS", "HORA", "TEMPO"];

/// A line with the moment that stood before it.
struct Line<'a> {
    number: usize,
    moment: Option<&'a str>,
    text: &'a str,
}

/// The lines below one header, wherever it was repeated.
struct Part<'a> {
    header: &'a str,
    /// True if a moment stood before the header, as it then does before each row.
    timed: bool,
    lines: Vec<Line<'a>>,
}

pub(super) fn table(text: &str) -> Option<Table> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let (mut current, mut now) = (None, None);
    for (number, line) in lines(text) {
        let plain = line.trim_start().strip_prefix('#').unwrap_or(line);
        let (moment, rest) =
            clock::leading(plain).map_or((None, plain), |(moment, rest)| (Some(moment), rest));
        if is_header(rest) {
            let known = |part: &Part<'_>| part.header.split_whitespace().eq(rest.split_whitespace());
            current = Some(parts.iter().position(known).unwrap_or_else(|| {
                parts.push(Part { header: rest, timed: moment.is_some(), lines: Vec::new() });
                parts.len() - 1
            }));
        } else if is_titles(rest) {
            current = None;
        } else if let Some(moment) = moment.filter(|_| rest.is_empty()).or_else(|| of_top(line)) {
            now = Some(moment);
        } else if let Some(part) = current.map(|current: usize| &mut parts[current]) {
            let line = match (part.timed, moment) {
                (true, Some(moment)) => Line { number, moment: Some(moment), text: rest },
                // `Average:`, in any language.
                (true, None) => continue,
                (false, _) => Line { number, moment: now, text: plain },
            };
            part.lines.push(line);
        }
    }
    let tables = parts.iter().filter_map(of_part);
    // `pidstat -u -r` has two headers, of which one holds memory.
    tables.max_by_key(|(holds, table)| (std::cmp::Reverse(*holds), table.rows.len())).map(|(_, table)| table)
}

/// The time in the first line of each screen of `top`.
fn of_top(line: &str) -> Option<&str> {
    clock::leading(line.trim_start().strip_prefix("top - ")?).map(|(moment, _)| moment)
}

/// True for a line of titles, one of which is about memory.
fn is_header(line: &str) -> bool {
    let figure = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
    let words: Vec<&str> = line.split_whitespace().collect();
    let titles = titles(line);
    let memory = titles
        .iter()
        .chain(wide(line).iter())
        .any(|title| columns::holds(title).is_some() || columns::is_share_of_memory(title));
    // A sentence or `key: value` may speak of memory, too.
    let sentence = words.iter().any(|word| word.ends_with([':', '.', '!']) || word.contains('='));
    (memory || is_free(&words)) && !words.iter().any(|word| figure(word)) && !sentence
}

/// True for the header of a table without memory, such as that of `pidstat -u`.
fn is_titles(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let figure = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    words.len() > 2 && words.iter().any(|word| columns::names(word).is_some()) && !words.iter().any(figure)
}

fn is_free(words: &[&str]) -> bool {
    words.starts_with(&["total", "used", "free"])
}

/// What stands between two spaces or more.
fn wide(line: &str) -> Vec<String> {
    line.split("  ")
        .flat_map(|part| part.split('\t'))
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_string)
        .collect()
}

/// The titles of a header whose columns have one space between them.
fn titles(header: &str) -> Vec<String> {
    let mut titles: Vec<String> = Vec::new();
    let mut joins = false;
    for word in header.split_whitespace() {
        let belongs = matches!(word, "%" | "/" | "I/O" | "IO" | "ID" | "USAGE" | "(%)")
            || (word.starts_with('(') && word.ends_with(')'));
        match titles.last_mut() {
            Some(last) if belongs || joins => {
                last.push(' ');
                last.push_str(word);
            }
            _ => titles.push(word.to_string()),
        }
        joins = word == "/";
    }
    titles
}

/// The cells of a row whose columns have one space between them: `36.2MiB / 23.5GiB` and `36 MiB` are one.
fn cells(line: &str) -> Vec<String> {
    let mut cells: Vec<String> = Vec::new();
    let mut joins = false;
    for word in line.split_whitespace() {
        let number = |cell: &String| matches!(amount::read(cell, Decimal::Point), Cell::Amount(_, None));
        let unit = word.len() >= 2 && MemoryUnit::named(word).is_some();
        let half = matches!(word, "AM" | "PM") && cells.last().is_some_and(|last| last.contains(':'));
        match cells.last_mut() {
            Some(last) if word == "/" || joins || half || (unit && number(last)) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => cells.push(word.to_string()),
        }
        joins = word == "/";
    }
    cells
}

/// The table below one header, and what the best of its columns holds.
fn of_part(part: &Part<'_>) -> Option<(Holds, Table)> {
    let free = is_free(&part.header.split_whitespace().collect::<Vec<_>>());
    let narrow = titles(part.header);
    let count = narrow.len() + usize::from(free);
    if free {
        let columns = [vec!["of".to_string()], narrow].concat();
        return below(part, columns, Split::Narrow(count)).map(|(holds, _, table)| (holds, table));
    }
    // The way that makes more of the lines rows, and of two that make as many the one with more columns.
    let ways = [(wide(part.header), Split::Wide), (narrow, Split::Narrow(count))];
    let tables = ways.into_iter().filter_map(|(columns, split)| below(part, columns, split));
    tables
        .max_by_key(|(_, exact, table)| (table.rows.len(), *exact, table.columns.len()))
        .map(|(holds, _, table)| (holds, table))
}

/// The table below one header, with its lines split in one way, and how many lines have a cell for each title.
fn below(part: &Part<'_>, columns: Vec<String>, split: Split) -> Option<(Holds, usize, Table)> {
    let free = is_free(&part.header.split_whitespace().collect::<Vec<_>>());
    let mut table = Table {
        unit: Some(MemoryUnit::Kilobytes),
        time: Some(0),
        looks: true,
        ..Table::new("columns of words", vec!["time".to_string()])
    };
    // What `ps` and `top` call so is the time of a CPU, unless it comes first.
    let plain = |(index, title): (usize, String)| match index > 0
        && CPU_TIMES.contains(&title.trim_end_matches('+'))
    {
        true => format!("CPU {title}"),
        false => title,
    };
    table.columns.extend(columns.into_iter().enumerate().map(plain));
    if free {
        // Its options choose the unit, and the size tells it.
        table.unit = None;
        table.memory = table.columns.iter().position(|column| column == "used");
    }
    let own_unit =
        |column: &String| columns::is_kilobytes(column) || matches!(column.as_str(), "RES" | "SWAP" | "VIRT");
    if !table.columns.iter().any(own_unit) && !free {
        table.unit = None;
    }
    // A time of its own stands in the header: psrecord, `pidstat -h`, `highwater watch`.
    let own_time = (1..table.columns.len()).find(|index| columns::is_time(&table.columns[*index]));
    if let Some(own) = own_time.filter(|_| !part.timed) {
        table.time = Some(own);
    }
    let memory: Vec<usize> = (1..table.columns.len())
        .filter(|index| {
            let name = &table.columns[*index];
            columns::holds(name).is_some()
                || columns::is_share_of_memory(name)
                || Some(*index) == table.memory
        })
        .collect();
    let pid = table.columns.iter().position(|name| columns::names(name) == Some(Names::Pid));
    let mut exact = 0;
    for line in &part.lines {
        let mut row = vec![line.moment.unwrap_or_default().to_string()];
        row.extend(split.of(line.text, part.header));
        let amount = |index: &usize| {
            let cell = row.get(*index).map_or("", String::as_str);
            matches!(amount::read(cell, Decimal::Point), Cell::Amount(..) | Cell::Percent)
                || (!cell.is_empty() && amount::is_empty(cell))
        };
        // Lines of something else stand between the rows of a loop.
        let whose = pid.is_none_or(|pid| row.get(pid).is_some_and(|pid| pid.parse::<u32>().is_ok()));
        let machine = !free || row.get(1).is_some_and(|first| first.starts_with("Mem"));
        if whose && machine && memory.iter().all(amount) {
            exact += usize::from(row.len() == table.columns.len());
            table.push(line.number, row);
        }
    }
    // Where no moment stood anywhere, there is no such column.
    if table.rows.iter().all(|row| row.cell(0).is_empty()) {
        table.columns.remove(0);
        table.rows.iter_mut().for_each(|row| drop(row.cells.remove(0)));
        table.memory = table.memory.map(|memory| memory - 1);
        table.time = table.time.and_then(|time| time.checked_sub(1)).filter(|_| own_time.is_some());
    }
    let holds = table.columns.iter().filter_map(|name| columns::holds(name)).min();
    (!table.rows.is_empty()).then(|| (holds.unwrap_or(Holds::Machine), exact, table))
}

/// How the lines of a part fall into cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Split {
    /// At two spaces or more.
    Wide,
    /// At every space, into so many.
    Narrow(usize),
}

impl Split {
    fn of(self, line: &str, header: &str) -> Vec<String> {
        let Split::Narrow(count) = self else { return wide(line) };
        let mut row = cells(line);
        if row.len() > count {
            // The last column may be a command with its arguments; where it is none, the place of the words has to tell.
            let last = header.split_whitespace().last().unwrap_or_default();
            let command = columns::names(last).is_some() || last == "ARGS";
            if let Some(placed) = (!command).then(|| placed(line, header)).flatten() {
                return placed;
            }
            let rest = row.split_off(count - 1);
            row.push(rest.join(" "));
        }
        row
    }
}

/// The cells by their place: each word belongs to the title that stands above it.
fn placed(line: &str, header: &str) -> Option<Vec<String>> {
    let (titles, words) = (spans_of(header), spans_of(line));
    let characters: Vec<char> = line.chars().collect();
    let mut row = vec![String::new(); titles.len()];
    for (start, end) in words {
        let distance = |title: &(usize, usize)| {
            let (from, to) = (start.max(title.0), end.min(title.1));
            if from < to { 0 } else { from - to + 1 }
        };
        let index = (0..titles.len()).min_by_key(|index| distance(&titles[*index]))?;
        if !row[index].is_empty() {
            row[index].push(' ');
        }
        row[index].extend(&characters[start..end]);
    }
    Some(row)
}

/// Where the words of a line begin and end, in characters.
fn spans_of(line: &str) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (index, _) in line.chars().enumerate().filter(|(_, character)| !character.is_whitespace()) {
        match spans.last_mut() {
            Some(last) if last.1 == index => last.1 += 1,
            _ => spans.push((index, index + 1)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let table = table(text).unwrap();
        (table.columns, table.rows.into_iter().map(|row| row.cells).collect())
    }

    #[test]
    fn a_loop_repeats_the_header_and_arguments_are_no_columns() {
        let text = "  PID   RSS    VSZ %CPU COMMAND\n20748 37112  40132  4.5 /usr/bin/python3 a b\n\n  PID   RSS    VSZ %CPU COMMAND\n20748 39168  42188  2.3 /usr/bin/python3 a b\n";
        let (columns, rows) = read(text);
        assert_eq!(columns, ["PID", "RSS", "VSZ", "%CPU", "COMMAND"]);
        assert_eq!(rows[1], ["20748", "39168", "42188", "2.3", "/usr/bin/python3 a b"]);
    }

    #[test]
    fn a_moment_before_the_header_stands_before_each_row() {
        let text = "Linux 6.18 (vm) \t11/27/26 \t_x86_64_\t(2 CPU)\n\n06:19:07 PM   UID       PID     RSS   %MEM  Command\n\
                    06:19:08 PM     0     20748   38100   0.15  python3\n\n06:19:08 PM   UID       PID    %usr  Command\n\
                    06:19:08 PM     0     20748    0.00  python3\nAverage:        0     20748   38100   0.15  python3\n";
        let (columns, rows) = read(text);
        assert_eq!(columns, ["time", "UID", "PID", "RSS", "%MEM", "Command"]);
        assert_eq!(rows, [["06:19:08 PM", "0", "20748", "38100", "0.15", "python3"]]);
        let (columns, rows) = read(
            "# Time        UID       PID     RSS   %MEM  Command\n1795803548      0     20748   38100   0.15  python3\n",
        );
        assert_eq!(columns[..2], ["Time", "UID"]);
        assert_eq!(rows[0][..2], ["1795803548", "0"]);
    }

    #[test]
    fn a_screen_of_top_has_its_time_in_the_first_line() {
        let screen = "top - 18:19:08 up 13 min,  0 user,  load average: 2.66, 2.24, 1.33\nTasks:   1 total,   0 running\n\
                      MiB Mem :  24105.6 total,  19180.0 free,   2280.3 used,   2953.0 buff/cache\n\n\
                        PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n\
                      20748 root      30  10   40132   3.6g   6652 S   0.0   0.2   0:00.05 python3\n\n";
        let (columns, rows) = read(&screen.repeat(2));
        assert_eq!((columns[0].as_str(), columns[6].as_str()), ("time", "RES"));
        assert_eq!((rows.len(), rows[0][0].as_str(), rows[0][6].as_str()), (2, "18:19:08", "3.6g"));
    }

    #[test]
    fn usage_and_limit_are_one_cell() {
        let text = "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT     MEM %     NET I/O     PIDS\n\
                    3c1b6a58816a   svc       0.10%     36.2MiB / 23.5GiB   0.3%      0B / 0B     1\n";
        let (columns, rows) = read(text);
        assert_eq!((columns[3].as_str(), rows[0][3].as_str()), ("MEM USAGE / LIMIT", "36.2MiB / 23.5GiB"));
        // One space between all of them.
        let (columns, rows) = read("NAME MEM USAGE / LIMIT MEM %\nsvc 36.2MiB / 23.5GiB 0.3%\n");
        assert_eq!(columns, ["NAME", "MEM USAGE / LIMIT", "MEM %"]);
        assert_eq!(rows[0], ["svc", "36.2MiB / 23.5GiB", "0.3%"]);
    }

    #[test]
    fn a_command_in_the_middle_is_found_by_its_place() {
        let text = "  PID COMMAND              RSS\n20748 python3 app.py       37112\n20749 sh -c x              1000\n";
        let (_, rows) = read(text);
        assert_eq!(rows[0], ["20748", "python3 app.py", "37112"]);
    }

    #[test]
    fn free_is_the_memory_of_a_machine() {
        let text = "               total        used        free      shared  buff/cache   available\n\
                    Mem:        24684134     2333728    19640172        2360     3023812    22350406\nSwap:              0           0           0\n";
        let table = table(text).unwrap();
        assert_eq!(
            (table.rows.len(), table.memory.map(|memory| table.rows[0].cell(memory))),
            (1, Some("2333728"))
        );
    }

    #[test]
    fn sentences_about_memory_are_no_headers() {
        assert!(table("memory is high today.\n1 2 3 4\n1 2 3 4\n").is_none());
    }
}
