//! What is known of one attempt at a level.

use std::collections::BTreeMap;

use crate::record::{ExitKind, FullLoad, GeneratorLoad, LevelMemory, LevelTasks, OwnReading, RoleLoad};

/// What is known of one attempt at a level. Times are seconds from its first task.
#[derive(Debug, Clone, Default)]
pub struct LevelFacts<'a> {
    /// Tasks outstanding at once.
    pub concurrency: u32,
    /// Which attempt at this level it is, from 1.
    pub attempt: u32,
    /// Tasks that were sent.
    pub sent: u32,
    /// The sums of those that left a record.
    pub tasks: LevelTasks,
    /// Processes of the roles that ended during the level.
    pub exits: Vec<ProcessEnd>,
    /// Processes that turned up in their place: role, pid, when.
    pub replacements: Vec<(String, u32, Option<f64>)>,
    /// What the health endpoint said after the level; absent if it was not asked.
    pub health: Option<Result<(), String>>,
    /// Worker memory around the level.
    pub memory: LevelMemory,
    /// Matching lines in the service's log, and the first of them; absent if it was not read.
    pub log: Option<(u32, Option<String>)>,
    /// Seconds from the first submission to the last result.
    pub load_s: Option<f64>,
    /// The part of it in which all tasks were outstanding; absent for a single batch.
    pub full: Option<FullLoad>,
    /// What each role used meanwhile.
    pub roles: BTreeMap<String, RoleLoad>,
    /// highwater and the machine meanwhile.
    pub own: Option<OwnReading>,
    /// The load that another program made in the place of highwater.
    pub generator: Option<&'a GeneratorLoad>,
    /// The run ended during the level, and a later one went on from there, counting it as broken.
    pub given_up: bool,
}

/// A process that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessEnd {
    /// The role it played.
    pub role: String,
    /// Its process id.
    pub pid: u32,
    /// How it ended.
    pub how: ExitKind,
    /// When, in seconds from the level's first task.
    pub at_s: Option<f64>,
}
