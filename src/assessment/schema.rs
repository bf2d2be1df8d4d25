//! The JSON schema of an assessment: the form of what `--json` prints. Pure.

use schemars::Schema;
use serde_json::json;

use super::Assessment;

/// The schema (JSON Schema, draft 2020-12) of a serialised [`Assessment`].
///
/// `docs/assessment.schema.json` has it for programs of other languages.
pub fn schema() -> Schema {
    let mut schema = schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Assessment>();
    // A command that made the run adds where its files are.
    if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        let files = json!({
            "description": "The files of the run; only in the output of the command that made it.",
            "type": "object",
            "additionalProperties": { "type": "string" }
        });
        properties.insert("files".to_string(), files);
    }
    schema.insert("unevaluatedProperties".to_string(), false.into());
    schema
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/assessment.schema.json")
    }

    fn text() -> String {
        format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap())
    }

    #[test]
    fn the_file_is_the_schema_of_the_fields() {
        let written = std::fs::read_to_string(path()).unwrap_or_default();
        assert!(written == text(), "make it anew: `cargo test --lib assessment::schema -- --ignored`");
    }

    #[test]
    #[ignore = "writes docs/assessment.schema.json"]
    fn write_the_file() {
        std::fs::write(path(), text()).unwrap();
    }
}
