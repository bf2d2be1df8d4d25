use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

/// A machine without processes.
struct Nothing;

impl ProcessSource for Nothing {
    fn list(&mut self) -> io::Result<Vec<ProcessInfo>> {
        Ok(Vec::new())
    }

    fn changes(&mut self) -> io::Result<Option<Vec<ProcessInfo>>> {
        Ok(Some(Vec::new()))
    }

    fn read(&mut self, _: ProcessId, _: Wanted) -> std::result::Result<Reading, ReadError> {
        Err(ReadError::Gone)
    }

    fn machine(&mut self) -> io::Result<MachineMemory> {
        Ok(MachineMemory { total_memory_bytes: 2, available_memory_bytes: 1 })
    }
}

type Answer = std::result::Result<Sighting, String>;

/// An origin that answers what the test says, once that is allowed.
struct Scripted {
    answer: Arc<Mutex<(Answer, u32)>>,
    hold: Option<Receiver<()>>,
    patience: Duration,
}

impl Origin for Scripted {
    fn name(&self) -> String {
        "the script".to_string()
    }

    fn read(&mut self) -> Answer {
        let holding = self.answer.lock().unwrap().0 == Err("hold".to_string());
        if let Some(hold) = self.hold.as_ref().filter(|_| holding) {
            hold.recv().unwrap();
        }
        let mut answer = self.answer.lock().unwrap();
        answer.1 += 1;
        answer.0.clone()
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn oldest_s(&self) -> f64 {
        30.0
    }
}

struct Script {
    source: Elsewhere,
    answer: Arc<Mutex<(Answer, u32)>>,
    release: Sender<()>,
}

impl Script {
    /// A busy machine may take its time to answer.
    fn new(figures: Vec<Figures>) -> Script {
        Script::with_patience(figures, Duration::from_secs(60))
    }

    fn with_patience(figures: Vec<Figures>, patience: Duration) -> Script {
        let answer = Arc::new(Mutex::new((Ok(figures.into()), 0)));
        let (release, hold) = channel();
        let origin = Scripted { answer: Arc::clone(&answer), hold: Some(hold), patience };
        let line = Line::start("worker", Box::new(origin)).unwrap();
        Script { source: Elsewhere { local: Box::new(Nothing), lines: vec![line] }, answer, release }
    }

    fn says(&self, answer: std::result::Result<impl Into<Sighting>, String>) {
        self.answer.lock().unwrap().0 = answer.map(Into::into);
    }

    fn asked(&self) -> u32 {
        self.answer.lock().unwrap().1
    }

    fn ids(&mut self) -> Vec<ProcessId> {
        self.source.list().unwrap().iter().map(|process| process.id).collect()
    }

    fn rss(&mut self, id: ProcessId) -> std::result::Result<u64, String> {
        self.source.read(id, Wanted::CPU).map(|reading| reading.rss_bytes).map_err(|error| error.to_string())
    }
}

fn process(rss_bytes: u64, started_s: Option<f64>) -> Figures {
    Figures { name: "asr".to_string(), rss_bytes, started_s, ..Figures::default() }
}

#[test]
fn each_reading_is_asked_for_and_one_between_looks_is_not() {
    let mut script = Script::new(vec![process(5, Some(100.0))]);
    let id = script.ids()[0];
    assert!(id.is_elsewhere());
    assert_eq!(script.rss(id), Ok(5));
    script.says(Ok(vec![process(7, Some(100.4))]));
    let asked = script.asked();
    assert_eq!(script.rss(id), Ok(7), "a start time that is corrected is no restart");
    assert_eq!(script.asked(), asked + 1);
    let between = script.source.read(id, Wanted::MEMORY).unwrap();
    assert_eq!((between.rss_bytes, between.cpu, between.threads), (7, None, None));
    assert_eq!(script.asked(), asked + 1);
    assert_eq!(script.source.details(id).unwrap(), Details::default(), "nothing else is known");
}

#[test]
fn another_start_or_a_counter_that_begins_again_is_another_process() {
    let mut script = Script::new(vec![process(5, Some(100.0))]);
    let first = script.ids()[0];
    script.says(Ok(vec![process(3, Some(160.0))]));
    assert_eq!(script.rss(first), Err("the process has ended".to_string()));
    let new = script.source.changes().unwrap().unwrap().pop().unwrap().id;
    assert_ne!((new.pid, new.start_ticks), (first.pid, first.start_ticks));
    assert_eq!(script.rss(new), Ok(3));
    let counted = |cpu_s| Figures { cpu_s: Some(cpu_s), ..process(3, None) };
    let mut script = Script::new(vec![counted(50.0)]);
    let first = script.ids()[0];
    script.says(Ok(vec![counted(0.5)]));
    assert_eq!(script.rss(first), Err("the process has ended".to_string()));
}

#[test]
fn no_answer_is_no_reading_and_no_end() {
    let mut script = Script::new(vec![process(5, Some(100.0))]);
    let id = script.ids()[0];
    script.says(Err::<Sighting, _>("answers HTTP 500".to_string()));
    let failed = script.rss(id).unwrap_err();
    assert!(failed.contains("the script answers HTTP 500"), "{failed}");
    script.says(Ok(vec![process(6, Some(100.0))]));
    assert_eq!(script.rss(id), Ok(6), "it is the same process when it answers again");
    script.says(Ok(vec![Figures { age_s: 31.0, ..process(6, Some(100.0)) }]));
    assert!(script.rss(id).unwrap_err().contains("figures that are 31 s old"));
    script.says(Ok(Sighting::default()));
    assert_eq!(script.rss(id), Err("the process has ended".to_string()), "it says that there is none");
}

#[test]
fn an_origin_that_hangs_stops_nothing_else_and_is_asked_again() {
    let mut script = Script::with_patience(vec![process(5, Some(100.0))], Duration::from_millis(100));
    let id = loop {
        if let Some(id) = script.ids().first() {
            break *id;
        }
    };
    script.says(Err::<Sighting, _>("hold".to_string()));
    for _ in 0..50 {
        let failed = script.rss(id).unwrap_err();
        assert!(failed.contains("no answer within 0.1 s"), "{failed}");
    }
    script.says(Ok(vec![process(6, Some(100.0))]));
    script.release.send(()).unwrap();
    // The late answer says nothing of now; the next one does.
    while script.rss(id) != Ok(6) {
        std::thread::sleep(Duration::from_millis(1));
    }
}
