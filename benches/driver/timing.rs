//! How much longer than the truth a task appears whose result is asked for now and then.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use highwater::plan::Plan;
use highwater::service::{AsrTarget, Target};

use super::ways::{WEE, input, together};

/// The shortest task of which 2 % are promised; its like follow in steps.
const SHORTEST: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(137);

/// What the bench's service says of a task that it was sent now: its name, which is the moment at
/// which it will be done.
pub(crate) fn submitted(earlier: u32) -> String {
    let done = since_epoch() + SHORTEST + STEP * (earlier % 8);
    format!(r#"{{"task_id": "{}"}}"#, done.as_micros())
}

/// The answer about the task of that name.
pub(crate) fn status(task_id: &str) -> &'static str {
    let done = task_id.parse().is_ok_and(|done| since_epoch() >= Duration::from_micros(done));
    if done { r#"{"status": "done"}"# } else { r#"{"status": "processing"}"# }
}

/// In shares of the true time, of tasks that begin together.
pub(crate) fn excess(url: &str, at_once: usize) -> Vec<f64> {
    let plan = Plan::asr(url).target;
    let target = AsrTarget::of_plan(&plan).expect("the plan is valid");
    let input = input(WEE);
    let began = since_epoch();
    together(at_once, async || {
        let ended = target.perform(&input).await.expect("the task succeeds");
        let seen = since_epoch();
        let done = ended.task_id.and_then(|id| id.parse().ok()).map(Duration::from_micros);
        let done = done.expect("a task is named by the moment at which it is done");
        seen.saturating_sub(done).as_secs_f64() / (done - began).as_secs_f64()
    })
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970")
}
