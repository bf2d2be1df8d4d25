//! `settle.collect` and the keys that it needs.

use super::Violation;
use super::target::url_violation;
use crate::plan::{CollectKind, SettlePlan};

pub(super) fn violations(settle: &SettlePlan) -> Vec<Violation> {
    let mut found = Vec::new();
    match settle.collect {
        Some(CollectKind::Url) if settle.collect_url.is_empty() => found.push(
            Violation::new(
                &["settle.collect_url"],
                "`settle.collect = \"url\"` needs `settle.collect_url`".to_string(),
            )
            .hint("an endpoint of the service that collects, such as `http://localhost:8000/debug/gc`"),
        ),
        Some(CollectKind::Command) if settle.collect_command.is_empty() => found.push(
            Violation::new(
                &["settle.collect_command"],
                "`settle.collect = \"command\"` needs `settle.collect_command`".to_string(),
            )
            .hint("a program with its arguments, such as `[\"jcmd\", \"{pid}\", \"GC.run\"]`"),
        ),
        _ => {}
    }
    if !settle.collect_url.is_empty() {
        found.extend(url_violation("settle.collect_url", &settle.collect_url));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_has_what_it_needs() {
        let with = |kind, url: &str| SettlePlan {
            collect: Some(kind),
            collect_url: url.to_string(),
            ..SettlePlan::default()
        };
        assert_eq!(violations(&with(CollectKind::Url, "")).len(), 1);
        assert_eq!(violations(&with(CollectKind::Url, "localhost")).len(), 1);
        assert_eq!(violations(&with(CollectKind::Url, "http://localhost:8000/gc")), []);
        assert_eq!(violations(&with(CollectKind::Command, "")).len(), 1);
        assert_eq!(violations(&with(CollectKind::Jcmd, "")), []);
    }
}
