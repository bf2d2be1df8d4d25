//! How soon an exit is known: from kill(2) to the event.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use highwater::plan::ProcessPlan;
use highwater::sampler::{EventKind, Sampler, SamplerOptions, default_source};

use crate::children::Children;

const EXITS: usize = 300;

pub(crate) fn tell() {
    let mut children = Children::spawn(EXITS);
    let plan = ProcessPlan { pids: children.pids(), ..ProcessPlan::default() };
    let roles = BTreeMap::from([("worker".to_string(), plan)]);
    // So rare a tick that only the end itself can tell of it.
    let options = SamplerOptions { interval: Duration::from_secs(3600), ..SamplerOptions::new(roles) };
    let sampler = Sampler::start(options, default_source().expect("/proc")).expect("they are alive");
    let mut events = sampler.client().subscribe();
    let mut times = Vec::with_capacity(EXITS);
    for index in 0..EXITS {
        std::thread::sleep(Duration::from_millis(2));
        let start = Instant::now();
        children.kill(index);
        loop {
            let event = events.blocking_recv().expect("the sampler runs");
            if matches!(event.kind, EventKind::Exited { .. }) {
                break;
            }
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "\nAn exit is known after {:.3} ms (median of {EXITS}), {:.3} ms (p99), {:.3} ms at most",
        times[EXITS / 2],
        times[EXITS * 99 / 100],
        times[EXITS - 1]
    );
}
