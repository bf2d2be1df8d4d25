//! The processes of a run as a table for programs: `processes_<stamp>.csv`. Pure.

use std::collections::HashMap;
use std::fmt::Write;

use crate::record::{Event, EventRecord, RunData};

/// A row a process, in the order in which they were found; the CSV of the samples names no role and no parent.
pub fn census(run: &RunData) -> String {
    let mut text = "pid,role,parent,name,command,found,ended,end\n".to_string();
    let mut ends: HashMap<u32, Vec<(usize, &EventRecord)>> = HashMap::new();
    for (index, record) in run.events.iter().enumerate() {
        if let Event::ProcessExited { pid, .. } = record.event {
            ends.entry(pid).or_default().push((index, record));
        }
    }
    for (index, record) in run.events.iter().enumerate() {
        let Event::ProcessFound { role, pid, name, command, parent, .. } = &record.event else { continue };
        // A pid may be given out again: the end that follows is that of this process.
        let end = ends.get(pid).and_then(|ends| ends.iter().find(|(at, _)| *at > index));
        let (ended, how) = match end.map(|(_, end)| (&end.time, &end.event)) {
            Some((time, Event::ProcessExited { how, .. })) => (time.clone(), how.to_string()),
            _ => (String::new(), String::new()),
        };
        let parent = parent.map_or(String::new(), |parent| parent.to_string());
        let fields = [role, &parent, name, command, &record.time, &ended, &how].map(|text| quoted(text));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{pid},{}", fields.join(","));
    }
    text
}

/// A field, quoted where necessary (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ExitKind;

    #[test]
    fn each_process_has_its_role_its_parent_and_its_end() {
        let found = |pid, parent: Option<u32>, command: &str| Event::ProcessFound {
            role: "worker".to_string(),
            pid,
            name: "rq".to_string(),
            command: command.to_string(),
            root: parent.is_none(),
            parent,
            start: None,
            replacement: false,
            rss_mb: None,
        };
        let exited = |pid, how| Event::ProcessExited {
            role: "worker".to_string(),
            pid,
            name: "rq".to_string(),
            root: false,
            how,
        };
        let events = [
            found(10, None, "rq worker \"asr\", fast"),
            found(11, Some(10), "rq horse"),
            exited(11, ExitKind::Signal(9)),
            found(11, Some(10), "rq horse"),
        ];
        let record = |(second, event)| EventRecord { time: format!("t{second}"), elapsed: 0.0, event };
        let run =
            RunData { events: events.into_iter().enumerate().map(record).collect(), ..RunData::default() };
        let expected = "pid,role,parent,name,command,found,ended,end\n\
            10,worker,,rq,\"rq worker \"\"asr\"\", fast\",t0,,\n\
            11,worker,10,rq,rq horse,t1,t2,\"was killed, signal 9\"\n\
            11,worker,10,rq,rq horse,t3,,\n";
        assert_eq!(census(&run), expected);
    }
}
