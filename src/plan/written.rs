//! A plan as it is written into files.

use serde_json::Value;

use super::Plan;

/// What stands in the place of a value that is not written down.
const HIDDEN: &str = "(hidden)";

/// Words in the names of headers that carry secrets.
const SECRETIVE: [&str; 6] = ["auth", "cookie", "key", "password", "secret", "token"];

impl Plan {
    /// The plan as JSON, for files that others will read: the values of headers that by
    /// their name carry a secret are left out.
    ///
    /// # Errors
    /// If the plan holds what JSON cannot express.
    pub(crate) fn written(&self) -> serde_json::Result<Value> {
        let mut plan = self.clone();
        for (name, value) in &mut plan.target.http.headers {
            let name = name.to_ascii_lowercase();
            if SECRETIVE.iter().any(|word| name.contains(word)) {
                *value = HIDDEN.to_string();
            }
        }
        serde_json::to_value(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_secrets_are_not_written_down() {
        let mut plan = Plan::default();
        for (name, value) in [("Authorization", "Bearer s3cret"), ("X-Api-Key", "s3cret"), ("Accept", "a/b")]
        {
            plan.target.http.headers.insert(name.to_string(), value.to_string());
        }
        let written = plan.written().unwrap();
        assert!(!written.to_string().contains("s3cret"), "{written}");
        assert_eq!(written["target"]["http"]["headers"]["Accept"], "a/b");
        let read: Plan = serde_json::from_value(written).unwrap();
        assert_eq!(read.target.http.headers.len(), 3, "the plan reads back");
    }
}
