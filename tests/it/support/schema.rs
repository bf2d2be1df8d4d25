//! Holds what `--json` prints against the schema in `docs/`.

use serde_json::Value;

/// Fails unless `assessment` has the form that `docs/assessment.schema.json` promises.
pub(crate) fn holds(assessment: &Value) {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/assessment.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(assessment)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
#[should_panic(expected = "surprise")]
fn a_field_that_the_schema_does_not_know_is_refused() {
    holds(&serde_json::json!({ "surprise": 1 }));
}
