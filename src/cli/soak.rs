//! `highwater soak`.

use super::args::SoakArgs;
use super::misplaced::{misplaced, of_http};
use super::run::conduct;
use crate::error::{Error, ErrorKind, Result};
use crate::plan;
use crate::record::Phase;
use crate::resume::Resume;

pub(super) fn soak(args: &SoakArgs) -> Result<u8> {
    let target = args.target();
    misplaced(&target, &args.plan)?;
    if let Some(events) = &args.resume {
        let resume = Resume::read(events, None)?;
        if resume.phase() != Phase::Soak {
            return Err(Error::new(ErrorKind::Config, "the run was not stopped in a soak")
                .hint("continue it with `highwater run --resume`"));
        }
        let plan = resume.plan(&args.overrides())?;
        return conduct(&target, plan, true, Some(resume), args.junit.as_deref());
    }
    let loaded = plan::load_with_origin(args.plan.config.as_deref(), &args.overrides())?;
    of_http(&args.plan, &loaded.plan)?;
    let timeout_given = loaded.given.iter().any(|key| key == "target.timeout_s");
    conduct(&target, loaded.plan, timeout_given, None, args.junit.as_deref())
}
