//! The known word that somebody most likely meant.

/// Below this likeness (1 is equality) a guess would confuse more than it helps.
const LIKE_ENOUGH: f64 = 0.6;

/// The one of `candidates` that is most like `word`, if any is like it at all.
///
/// The part after the last dot counts on its own too, so that a key written in
/// the wrong table is found (`repeats` for `leak.repeats`), and so does a part
/// that was left out (`leak.delta` for `leak.max_delta_mb`).
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (likeness(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKE_ENOUGH)
        // The first of equals wins, so that the answer does not depend on luck.
        .fold(None, |best: Option<(f64, &str)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, candidate)| candidate)
}

fn likeness(word: &str, candidate: &str) -> f64 {
    let whole = strsim::normalized_damerau_levenshtein(word, candidate);
    let (table, last) = parts(word);
    let (candidate_table, candidate_last) = parts(candidate);
    let mut own = strsim::normalized_damerau_levenshtein(last, candidate_last) * 0.95;
    if last.len() >= 4 && (candidate_last.contains(last) || last.contains(candidate_last)) {
        own = own.max(0.7);
    }
    // A key of another table must be much more like it than one of the same.
    whole.max(if table == candidate_table { own } else { own * 0.85 })
}

fn parts(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::keys::keys;

    #[test]
    fn finds_what_was_meant() {
        let keys: Vec<String> = keys().iter().map(super::super::key::Key::dotted).collect();
        let check = |word: &str, meant: Option<&str>| {
            assert_eq!(nearest(word, keys.iter().map(String::as_str)), meant, "{word}");
        };
        check("leak.max_delta", Some("leak.max_delta_mb"));
        check("leak.maxdelta_mb", Some("leak.max_delta_mb"));
        check("leak.delta", Some("leak.max_delta_mb"));
        check("repeats", Some("leak.repeats"));
        check("ramp.repeats", Some("leak.repeats"));
        check("sampler.interval", Some("sampler.interval_s"));
        check("target.timeout", Some("target.timeout_s"));
        check("result", Some("results"));
        check("target.http.asr.field", Some("target.asr.field"));
        check("something.else.entirely", None);
    }
}
