//! highwater as a test suite: measure once, judge in as many tests as you like.
//!
//! A criterion is a test of its own, and under nextest a test is a process of
//! its own. Running the load once for each criterion would multiply hours, so a
//! [`Suite`] measures a phase once for a whole test run: the first test that
//! asks does the work, the others judge the same files.

mod identity;
mod measured;
mod running;

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use once_cell::sync::Lazy;

use crate::console::{Console, Screen, Stream};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{self, Plan};
use crate::record::Phase;
use crate::service::{AnyTarget, Inputs, Target};
use crate::session::{End, Session, Up, checked};
use identity::Identity;
pub use measured::Measured;
pub use running::Running;

/// The variable with arguments for the embedded service, as one would type them.
pub const DEMO_ARGS_VARIABLE: &str = "HIGHWATER_DEMO_ARGS";

/// Who this test process is, and which test run it belongs to: the same for all its suites.
static IDENTITY: Lazy<Identity> = Lazy::new(Identity::of_this_process);

/// A service and the plan to test it with.
#[derive(Clone)]
pub struct Suite {
    plan: Plan,
    target: Option<Arc<dyn AnyTarget>>,
    inputs: Option<Inputs>,
    embedded: Option<Vec<String>>,
    /// True if all tests of a run may share one measurement.
    shared: bool,
}

impl Suite {
    /// The service that `highwater.toml` and the `HIGHWATER_…` variables name;
    /// the embedded one, with [`DEMO_ARGS_VARIABLE`], where they name none.
    ///
    /// All tests of one test run share what is measured.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the configuration is wrong.
    pub fn from_environment() -> Result<Suite> {
        let loaded = plan::load_with_origin(None, &[])?;
        let embedded = (!loaded.names_a_service()).then(|| {
            let arguments = std::env::var(DEMO_ARGS_VARIABLE).unwrap_or_default();
            arguments.split_whitespace().map(ToString::to_string).collect()
        });
        Ok(Suite { embedded, shared: true, ..Suite::new(loaded.plan) })
    }

    /// A suite of your own; each call of a phase measures anew.
    pub fn new(plan: Plan) -> Suite {
        Suite { plan, target: None, inputs: None, embedded: None, shared: false }
    }

    /// Tests `target` instead of the service that the plan describes.
    #[must_use]
    pub fn target(mut self, target: impl Target) -> Suite {
        self.target = Some(Arc::new(target));
        self
    }

    /// Sends `inputs` instead of those that the plan describes.
    #[must_use]
    pub fn inputs(mut self, inputs: Inputs) -> Suite {
        self.inputs = Some(inputs);
        self
    }

    /// Starts the embedded service with `arguments` and tests that.
    #[must_use]
    pub fn embedded(mut self, arguments: &[&str]) -> Suite {
        self.embedded = Some(arguments.iter().map(ToString::to_string).collect());
        self
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan, to be changed before a phase.
    pub fn plan_mut(&mut self) -> &mut Plan {
        &mut self.plan
    }

    /// Brings up the service and starts the sampler on its processes: what a test fixture hands out.
    ///
    /// # Errors
    /// If the service or its processes are not what a run needs.
    pub async fn start(self) -> Result<Running> {
        Running::start(self).await
    }

    /// Runs the leak check, or finds what this test run has already measured of it.
    ///
    /// # Errors
    /// If the service, its processes or the files are not what a run needs.
    pub async fn leak_check(&self) -> Result<Measured> {
        self.leak_check_of(None).await
    }

    /// The leak check of a service that is `up`, or of the one that is brought up for it.
    async fn leak_check_of(&self, up: Option<Up>) -> Result<Measured> {
        let mut plan = self.plan.clone();
        plan.leak.enabled = true;
        plan.ramp.enabled = false;
        self.measured(Phase::Leak.word().to_string(), plan, up).await
    }

    /// Runs the concurrency ramp up to `max`, or finds what this test run has already measured of it.
    ///
    /// # Errors
    /// If the service, its processes or the files are not what a run needs.
    pub async fn ramp(&self, max: u32) -> Result<Measured> {
        self.ramp_of(max, None).await
    }

    async fn ramp_of(&self, max: u32, up: Option<Up>) -> Result<Measured> {
        let mut plan = self.plan.clone();
        plan.leak.enabled = false;
        plan.ramp.enabled = true;
        plan.ramp.max = max;
        self.measured(format!("{}_{max}", Phase::Concurrency.word()), plan, up).await
    }

    /// Measures what `plan` asks for, unless that has been done under this `name`.
    async fn measured(&self, name: String, plan: Plan, up: Option<Up>) -> Result<Measured> {
        let embedded = up.as_ref().map_or(self.embedded.is_some(), |up| up.embedded.is_some());
        let mut plan = checked(plan, embedded)?;
        plan.results = plan.results.join("tests").join(&IDENTITY.run);
        fs::create_dir_all(&plan.results).map_err(|error| unwritable(&plan.results, error))?;
        let marker = plan.results.join(format!(".{name}_{}", IDENTITY.sharing));
        // One measurement at a time: two would measure each other.
        let _lock = lock(plan.results.join(".lock")).await?;
        if self.shared
            && let Some(measured) = Measured::of_marker(&marker, &plan)?
        {
            return Ok(measured);
        }
        let measured = Box::pin(self.measure(plan, up)).await?;
        if self.shared {
            measured.mark(&marker)?;
        }
        Ok(measured)
    }

    async fn measure(&self, plan: Plan, up: Option<Up>) -> Result<Measured> {
        let console = Console::new(Screen::new(Stream::Stderr), plan.clone(), plan.results.clone());
        let mut builder = Session::builder(plan).up(up).observer(Arc::new(console));
        if let Some(target) = &self.target {
            builder = builder.shared_target(Arc::clone(target));
        }
        if let Some(inputs) = &self.inputs {
            builder = builder.inputs(inputs.clone());
        }
        if let Some(arguments) = &self.embedded {
            builder = builder.embedded(arguments.clone());
        }
        // Boxed: without optimisation, futures within one another take more than the stack of a test's thread.
        let session = Box::pin(builder.start()).await?;
        let done = Box::pin(session.run_plan()).await;
        let end = match &done {
            Ok(()) => End::Complete,
            Err(error) => End::Interrupted(error.to_string()),
        };
        let outcome = Box::pin(session.finish(end)).await?;
        done?;
        Ok(Measured { assessment: outcome.assessment, paths: outcome.paths })
    }
}

/// Held until the file is closed, by this process or by its end.
async fn lock(path: PathBuf) -> Result<File> {
    let waited = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).append(true).open(&path)?;
        file.lock()?;
        Ok(file)
    });
    waited.await.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|error: std::io::Error| {
        Error::new(ErrorKind::Io, "cannot take the lock that keeps measurements apart").source(error)
    })
}

fn unwritable(path: &std::path::Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot write to `{}`", path.display()))
        .source(error)
        .hint("set `HIGHWATER_RESULTS` to a directory that can be written")
}
