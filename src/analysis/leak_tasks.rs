//! The tasks of the leak check, and the readings by which growth is judged.

use super::block_points::{Placed, with_floors};
use super::by_input::{InputRate, input_rates};
use super::growth::{Answer, Growth, Readings, enough, growth, is_runtime};
use super::heap_in_use::HeapInUse;
use super::lives::{are_known, within};
use super::over_time::rises;
use super::retained::private_series;
use super::runtime::{heap_mb, is_counted};
use crate::record::{
    BlockReading, Bulk, Event, Footprint, LivesReading, Phase, Retained, RunData, TaskRecord,
};

/// The tasks of the leak check, warm-up and repeats apart.
#[derive(Debug, Clone, Default)]
pub struct LeakTasks<'a> {
    /// All of them, in their order.
    pub tasks: Vec<&'a TaskRecord>,
    /// The first of each kind on each worker process: models load and arenas are made in these.
    pub warm_up: Vec<&'a TaskRecord>,
    /// The rest.
    pub repeats: Vec<&'a TaskRecord>,
    /// Tasks that were sent in blocks, without a reading around each; they are in none of the others.
    pub in_blocks: Bulk,
    /// The readings after the groups of tasks that had a reading each, where there are more than are kept one by one, and
    /// those after the blocks.
    pub blocks: Vec<&'a BlockReading>,
    /// The readings after the blocks alone: how many there are.
    pub sent_blocks: usize,
    /// The tasks that had a reading each: how many there are, kept one by one or not.
    pub read: usize,
    /// The last task of each group, to the same readings of which other roles' figures belong.
    pub group_ends: Vec<&'a str>,
    /// The processes one by one, where they are replaced as they work.
    lives: Vec<&'a LivesReading>,
    /// True if the worker is known to be no large runtime, however much it maps from files.
    counted: bool,
    /// What its heap may rise by on its own, in MB, where that is known.
    heap_mb: Option<f64>,
}

/// The readings by which growth is judged, one per task.
#[derive(Debug, Clone, PartialEq)]
pub struct LeakReadings {
    /// Memory after each task, in MB.
    pub after_mb: Vec<f64>,
    /// Shared memory that was mapped besides, in MB; empty where it is not known after each.
    pub beside_mb: Vec<f64>,
    /// RSS less private memory early on, in MB, where both are known: what tells of a large
    /// runtime ([`Readings::file_mb`]). Absent for what is known to be none.
    pub file_mb: Option<f64>,
    /// How many tasks had ended at each of them; empty where one task lies between two.
    pub at: Vec<f64>,
    /// What the service held before the first task, by the same figure, in MB.
    pub start_mb: Option<f64>,
    /// Which figure of the tasks' lines they are.
    pub figure: String,
}

/// An allocator of a small process may have this much free from its start, in MB.
pub(super) const SLACK_MB: f64 = 2.0;

impl<'a> LeakTasks<'a> {
    /// The leak check's tasks in a run.
    ///
    /// Files of the Python script do not name phases: there, the tasks sent one
    /// at a time before the first batch are the leak check.
    pub fn of(run: &'a RunData) -> LeakTasks<'a> {
        let named = run.in_blocks.tasks > 0 || run.tasks.iter().any(|task| task.phase.is_some());
        let tasks: Vec<&TaskRecord> = if named {
            run.tasks
                .iter()
                // What was sent under the condition of a probe is judged by itself.
                .filter(|task| task.phase == Some(Phase::Leak) && task.condition.is_none())
                .collect()
        } else {
            before_the_batches(run)
        };
        let (one_by_one, tasks): (Vec<_>, Vec<_>) = tasks.into_iter().partition(|task| task.block.is_some());
        let mut in_blocks = run.in_blocks.clone();
        one_by_one.into_iter().for_each(|task| in_blocks.add(task));
        let groups = &run.read.groups;
        let mut blocks: Vec<&BlockReading> = groups.iter().map(|group| &group.reading).collect();
        blocks.extend(run.events.iter().filter_map(|record| match &record.event {
            Event::BlockEnded(reading) => Some(reading),
            _ => None,
        }));
        let lives = run.events.iter().filter_map(|record| match &record.event {
            Event::Lives(reading) => Some(reading),
            _ => None,
        });
        LeakTasks {
            counted: is_counted(run),
            heap_mb: heap_mb(run),
            in_blocks,
            sent_blocks: blocks.len() - groups.len(),
            blocks,
            read: run.read.tasks.max(tasks.len() as u32) as usize,
            group_ends: groups.iter().map(|group| group.test_id.as_str()).collect(),
            lives: lives.collect(),
            ..LeakTasks::split(tasks)
        }
    }

    fn split(tasks: Vec<&'a TaskRecord>) -> LeakTasks<'a> {
        let mut seen: Vec<(String, Option<u32>)> = Vec::new();
        let (mut warm_up, mut repeats) = (Vec::new(), Vec::new());
        for &task in &tasks {
            let sent = (input(task), task.worker_pid);
            // Where it is not known which worker did a task, it is no worker's first.
            let known = |(kind, worker): &(String, Option<u32>)| {
                *kind == sent.0 && (sent.1.is_none() || worker.is_none() || *worker == sent.1)
            };
            if seen.iter().any(known) {
                repeats.push(task);
            } else {
                seen.push(sent);
                warm_up.push(task);
            }
        }
        LeakTasks { tasks, warm_up, repeats, ..LeakTasks::default() }
    }

    /// The tasks by which growth is judged: the repeats, or all tasks where most
    /// inputs were sent only once, so that there is hardly a repeat.
    pub fn for_growth(&self) -> &[&'a TaskRecord] {
        if 2 * self.repeats.len() >= self.tasks.len() { &self.repeats } else { &self.tasks }
    }

    /// Worker memory after each task (and each block) by which growth is judged, where it could be read: private
    /// memory as every reading has it, or else RSS.
    pub fn readings(&self) -> LeakReadings {
        if !self.blocks.is_empty() {
            return self.block_readings();
        }
        let read: Vec<_> =
            self.for_growth().iter().filter(|task| task.worker_rss_after_mb.is_some()).collect();
        let file_mb = self.file_mb();
        match private_series(read.iter().map(|task| task.worker_after.as_ref())) {
            Some(found) => LeakReadings {
                start_mb: self.before_the_first(found.figure),
                figure: format!("worker_after.{}", found.figure.field()),
                after_mb: found.private_mb,
                beside_mb: found.shared_mb,
                file_mb,
                at: Vec::new(),
            },
            None => LeakReadings {
                after_mb: read.iter().filter_map(|task| task.worker_rss_after_mb).collect(),
                beside_mb: Vec::new(),
                file_mb,
                at: Vec::new(),
                start_mb: self.tasks.first().and_then(|task| task.worker_rss_before_mb),
                figure: "worker_rss_after_mb".to_string(),
            },
        }
    }

    /// The readings after the single tasks and, at their places, those after the blocks and the floors within them.
    fn block_readings(&self) -> LeakReadings {
        let singles = self.tasks.iter().map(|task| task.worker_after.as_ref());
        let blocks = self.blocks.iter().map(|block| block.worker.as_ref());
        let Some(found) = private_series(singles.chain(blocks)) else {
            if self.sent_blocks == 0 {
                return self.rss_readings();
            }
            return LeakReadings {
                after_mb: Vec::new(),
                beside_mb: Vec::new(),
                file_mb: None,
                at: Vec::new(),
                start_mb: None,
                figure: "worker_after".to_string(),
            };
        };
        let start = self.before_the_first(found.figure);
        let placed = with_floors(self.tasks.len(), &self.blocks, &found.private_mb);
        let shared = |placed: &Placed| found.shared_mb.get(placed.reading).copied();
        LeakReadings {
            after_mb: placed.iter().map(|placed| placed.mb).collect(),
            beside_mb: placed.iter().filter_map(shared).collect(),
            file_mb: self.file_mb(),
            at: placed.iter().map(|placed| placed.at).collect(),
            start_mb: start,
            figure: format!("worker.{}", found.figure.field()),
        }
    }

    /// RSS after the tasks that are kept one by one and after the groups; without floors.
    fn rss_readings(&self) -> LeakReadings {
        let singles = self.tasks.iter().zip(1..).map(|(task, at)| (f64::from(at), task.worker_rss_after_mb));
        let groups = self.blocks.iter();
        let groups =
            groups.map(|group| (f64::from(group.tasks), group.worker.and_then(|worker| worker.rss_mb)));
        let read = singles.chain(groups).filter_map(|(at, mb)| Some((at, mb?)));
        let (at, after_mb) = read.unzip();
        LeakReadings {
            after_mb,
            beside_mb: Vec::new(),
            file_mb: self.file_mb(),
            at,
            start_mb: self.tasks.first().and_then(|task| task.worker_rss_before_mb),
            figure: "worker_rss_after_mb".to_string(),
        }
    }

    fn before_the_first(&self, figure: Retained) -> Option<f64> {
        figure.of(self.tasks.first()?.worker_before.as_ref()?.into())
    }

    /// What tells of a large runtime: early, since what is mapped hardly changes there.
    fn file_mb(&self) -> Option<f64> {
        let read = self.for_growth().iter().filter(|task| task.worker_rss_after_mb.is_some());
        let early = read.take(6).filter_map(|task| task.worker_after).last();
        early.as_ref().and_then(Footprint::shared_mb).filter(|_| !self.counted)
    }

    /// Seconds that a task takes: the median of the last single tasks, or what those of the blocks took together.
    pub fn task_seconds(&self) -> Option<f64> {
        if self.blocks.is_empty() {
            let mut seconds: Vec<f64> = self.repeats.iter().filter_map(|task| task.processing_time).collect();
            seconds.sort_by(f64::total_cmp);
            return seconds.get(seconds.len() / 2).copied();
        }
        let (busy, tasks) = self.block_pace();
        (tasks > 0.0).then(|| busy / tasks)
    }

    /// Tasks per second in the later blocks; nothing without any.
    pub(super) fn pace(&self) -> Option<f64> {
        let (busy, tasks) = self.block_pace();
        Some(tasks / busy).filter(|pace| pace.is_finite() && *pace > 0.0)
    }

    /// Seconds and tasks of the blocks of the later half of the tasks.
    fn block_pace(&self) -> (f64, f64) {
        let half = self.blocks.last().map_or(0, |block| block.tasks) / 2;
        let mut before = self.tasks.len() as u32;
        let (mut busy, mut tasks) = (0.0, 0.0);
        for block in &self.blocks {
            if block.tasks > half {
                busy += block.busy_seconds;
                tasks += f64::from(block.tasks.saturating_sub(before));
            }
            before = block.tasks;
        }
        (busy, tasks)
    }

    /// How memory grew so far, in MB per task, up to what a block may add.
    pub fn mb_per_task(&self) -> Option<f64> {
        let readings = self.readings();
        let last = *readings.after_mb.last()?;
        let tasks = readings.at.last().copied().unwrap_or(self.tasks.len() as f64);
        Some((last - readings.start_mb?) / tasks)
    }

    /// True if the lives of the worker's processes have been looked at often enough.
    pub fn lives_are_known(&self) -> bool {
        are_known(&self.lives)
    }

    /// True if memory could be read after every task and block that is to have a reading.
    pub fn all_read(&self) -> bool {
        self.for_growth().iter().all(|task| task.worker_rss_after_mb.is_some())
            && self.blocks.iter().all(|block| block.worker.is_some())
    }

    /// What the repeats say about accumulation, if that is asked for `looks`
    /// times until the answer is certain.
    ///
    /// Both inputs were sent before, but a cache need not be keyed by its input
    /// (many are keyed by the task), so that nothing is claimed to have been seen.
    pub fn growth(&self, looks: u32) -> Growth {
        let LeakReadings { after_mb, beside_mb, file_mb, at, start_mb, .. } = self.readings();
        let input_mb = self.tasks.iter().filter_map(|task| task.audio_size_mb).fold(0.0, f64::max);
        let risen_mb = after_mb.last().zip(start_mb).map_or(0.0, |(last, start)| (last - start).max(0.0));
        let in_blocks = !self.blocks.is_empty();
        let slack_mb = SLACK_MB + if in_blocks { 2.0 * input_mb + risen_mb } else { input_mb };
        let pace = self.pace();
        let by_input = self.by_input();
        let after_mb = self.levelled(after_mb, &by_input);
        let found = growth(&Readings {
            file_mb,
            beside_mb: &beside_mb,
            looks,
            at: &at,
            enough: pace.map(enough),
            slack_mb: Some(slack_mb),
            heap_mb: self.heap_mb,
            per_second: pace,
            ..Readings::new(&after_mb)
        });
        let heap = HeapInUse::of(&self.tasks, &self.blocks);
        let found =
            within(heap.judged(found, pace, SLACK_MB + 2.0 * input_mb), &self.lives, is_runtime(file_mb));
        // What rises with time is worth more of it, however little it is for each task.
        let firm = found.firm && !(found.answer == Answer::Clean && rises(&self.over_time()));
        Growth { by_input, firm, ..found }
    }

    /// Private memory after the blocks, in MB, each with the seconds since the check began.
    fn over_time(&self) -> Vec<(f64, f64)> {
        let private = private_series(self.blocks.iter().map(|block| block.worker.as_ref()));
        let seconds = self.blocks.iter().map(|block| block.seconds);
        seconds.zip(private.map(|found| found.private_mb).unwrap_or_default()).collect()
    }

    /// Readings of inputs that retain different amounts, as if each task retained their mean: a staircase becomes the
    /// straight line that it follows.
    fn levelled(&self, mut after_mb: Vec<f64>, rates: &[InputRate]) -> Vec<f64> {
        if rates.is_empty() || !self.blocks.is_empty() {
            return after_mb;
        }
        let read = self.for_growth().iter().filter(|task| task.worker_rss_after_mb.is_some());
        let of = |task: &&&TaskRecord| {
            let kind = input(task);
            rates.iter().find(|rate| rate.input == kind).map_or(0.0, |rate| rate.mb_per_task)
        };
        let kept: Vec<f64> = read.map(|task| of(&task)).collect();
        let mean = kept.iter().sum::<f64>() / kept.len() as f64;
        let mut ahead_mb = 0.0;
        for (mb, kept) in after_mb.iter_mut().zip(&kept) {
            ahead_mb += kept - mean;
            *mb -= ahead_mb;
        }
        after_mb
    }

    /// What each input retains, where that differs.
    fn by_input(&self) -> Vec<InputRate> {
        let kinds: Vec<String> = self.tasks.iter().map(|task| input(task)).collect();
        let after = kinds.iter().zip(&self.tasks);
        input_rates(after.map_while(|(kind, task)| Some((kind.as_str(), task.worker_rss_after_mb?))))
    }

    /// The tasks whose delta is judged: the long ones, or all if none is long;
    /// without repeats, the first ones are all there is.
    pub(super) fn judged(&self) -> Vec<&'a TaskRecord> {
        let pool = if self.repeats.is_empty() { &self.warm_up } else { &self.repeats };
        let long: Vec<_> = pool.iter().copied().filter(|task| task.is_long()).collect();
        if long.is_empty() { pool.clone() } else { long }
    }
}

/// The tasks of the leak check in a file that does not name phases.
///
/// Where batches follow, the last single task is the first level of the ramp. It
/// must not make the tasks before it a warm-up, which is not judged.
fn before_the_batches(run: &RunData) -> Vec<&TaskRecord> {
    let mut tasks: Vec<&TaskRecord> = run.tasks.iter().take_while(|task| task.concurrency == 1).collect();
    if run.ramp.sums.tasks > 0
        && let Some((last, earlier)) = tasks.split_last()
        && earlier.iter().any(|task| input(task) == input(last))
    {
        tasks.pop();
    }
    tasks
}

/// What makes two tasks repeats of each other.
pub(super) fn input(task: &TaskRecord) -> String {
    match task.kind {
        Some(kind) => kind.word().to_string(),
        None => task.audio_file.clone(),
    }
}
