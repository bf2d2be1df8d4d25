//! The texts of a target that reach the service: URLs, paths, fields and headers.

use super::TargetPlan;

/// The texts in which a variable may stand, by key.
pub(super) fn texts(target: &mut TargetPlan) -> Vec<(String, &mut String)> {
    let mut texts = vec![
        ("target.url".to_string(), &mut target.url),
        ("target.health".to_string(), &mut target.health),
        ("target.asr.submit".to_string(), &mut target.asr.submit),
        ("target.asr.result".to_string(), &mut target.asr.result),
        ("target.asr.wait_query".to_string(), &mut target.asr.wait_query),
        ("target.openai.path".to_string(), &mut target.openai.path),
        ("target.http.path".to_string(), &mut target.http.path),
        ("target.websocket.path".to_string(), &mut target.websocket.path),
    ];
    let fields = target.openai.fields.iter_mut();
    texts.extend(fields.map(|(name, text)| (format!("target.openai.fields.{name}"), text)));
    let headers = target.http.headers.iter_mut();
    texts.extend(headers.map(|(name, text)| (format!("target.http.headers.{name}"), text)));
    texts
}
