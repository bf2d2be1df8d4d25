//! Why a verdict on growth came out as it did, as data. `words` makes the sentences.

/// Why.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// Too few readings for the rule on single tasks.
    TooShort {
        /// Readings after warm-up.
        tasks: usize,
        /// So many are needed.
        least: usize,
    },
    /// A leak, by the rule on single tasks.
    Leak {
        /// Rise of the floors, in MB.
        rise_mb: f64,
        /// Tasks over which it rose.
        tasks: usize,
        /// Why it is one.
        grounds: Grounds,
    },
    /// Certain growth that may still be something that fills.
    Growing {
        /// In MB per task.
        rate_mb: f64,
        /// Rise so far, in MB.
        rise_mb: f64,
        /// True where it slows down or has ended.
        slowing: bool,
    },
    /// Clean, by the rule on single tasks.
    Clean {
        /// The leak that would have been seen, in MB per task.
        high_mb: f64,
        /// From the first readings to the last, in MB.
        rise_mb: f64,
        /// Readings.
        tasks: usize,
        /// Readings after which nearly all of the rise had come.
        risen_by: usize,
        /// True where the later half excludes the rate of the rise.
        filled: bool,
    },
    /// Neither, by the rule on single tasks.
    Undecided {
        /// In which way.
        why: Undecided,
        /// The lower end of the rate's interval, in MB per task.
        low_mb: f64,
        /// The upper end.
        high_mb: f64,
    },
    /// Private memory is clean, what is resident besides is not.
    Shared(Box<Reason>),
    /// The heap in use after a collection accumulates. Holds the reason for that series.
    InHeap(Box<Reason>),
    /// A leak: growth goes on from doubling to doubling.
    GoesOn {
        /// Rise over the last two doublings, in MB.
        rise_mb: f64,
        /// Tasks in all.
        tasks: usize,
        /// Why it is one.
        grounds: Grounds,
    },
    /// Growth goes on, over too few tasks (or too little memory) to rule out that something fills.
    StillFew {
        /// In MB per task.
        rate_mb: f64,
        /// Rise so far, in MB.
        rise_mb: f64,
        /// True where a large runtime's heap may still rise to its limit.
        runtime: bool,
    },
    /// Not enough tasks for either verdict.
    Few {
        /// Tasks so far.
        tasks: usize,
        /// So many are needed.
        enough: usize,
    },
    /// Clean: the last doubling adds nothing.
    Flat {
        /// The most that each task can have kept, in MB.
        bound_mb: f64,
        /// From the first reading to the last floors, in MB.
        rise_mb: f64,
        /// Tasks in all.
        tasks: usize,
        /// True where memory rose and the last doubling excludes that it goes on.
        filled: bool,
    },
    /// Neither, after enough tasks.
    Unsettled {
        /// In which way.
        why: Unsettled,
        /// Growth in the last doubling, in MB per task.
        late_mb: f64,
        /// In the one before, in MB per task.
        early_mb: f64,
    },
    /// A leak, and one that goes on without any task.
    WithTime {
        /// Growth while no task was sent, in MB per hour.
        mb_per_hour: f64,
        /// Growth while tasks were sent, in MB per hour.
        busy_mb_per_hour: f64,
        /// Seconds without a task.
        idle_s: f64,
        /// True where tasks add little or nothing to it.
        mostly: bool,
    },
    /// Each process grows until it is replaced, whatever their sum does.
    WithinLives {
        /// Lives that were looked at.
        lives: usize,
        /// What a process gained in its life, on average, in MB.
        risen_mb: f64,
        /// Over how many tasks of its own, on average.
        tasks: f64,
    },
    /// Growth goes on below the bound of something that the user says fills (`leak.fills_to_mb`).
    Fills {
        /// Memory now, in MB.
        held_mb: f64,
        /// The bound, in MB.
        bound_mb: f64,
        /// Growth, in MB per task.
        rate_mb: f64,
    },
    /// The readings cannot be compared with each other; why, in the reader's words.
    Incomparable(String),
}

/// Why growth is a leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grounds {
    /// It rose by more than caches hold.
    Large,
    /// It was too fast for too long.
    Fast,
    /// It went on for longer than caches take.
    Long,
    /// The caller rules out that anything fills.
    Seen,
    /// It held its rate over two doublings of the number of tasks.
    Doublings,
}

/// Why readings that are neither a leak nor clean decide nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// They are flat, and too few.
    Few,
    /// They are flat lately, and were not before.
    Lately,
    /// They go up and down by more than a leak would.
    Noisy,
}

/// The same, after enough tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsettled {
    /// Memory comes down, which hides what is kept meanwhile.
    Falls,
    /// Growth goes on, more slowly.
    Slows,
    /// It grows, and not evenly.
    Grows,
    /// It goes up and down by more than a leak would.
    Noisy,
}
