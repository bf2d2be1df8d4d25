//! What the target of a plan must fulfil.

use std::collections::BTreeMap;

use super::{Violation, not_empty, url_path};
use crate::plan::words::names_a_variable;
use crate::plan::{AsrPlan, CommandPlan, HttpPlan, OpenAiPlan, TargetKind, TargetPlan, WebSocketPlan};

/// The methods that a request may have.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Everything that is wrong with `target`.
pub(super) fn violations(target: &TargetPlan) -> Vec<Violation> {
    // A program may speak any protocol: its URL is only asked for where there is a health endpoint.
    let by_program = target.kind == TargetKind::Command && target.health.is_empty();
    let mut found = if by_program { Vec::new() } else { url(target) };
    if !target.health.is_empty() {
        found.extend(url_path("target.health", &target.health));
    }
    found.extend(pointer("target.health_pointer", &target.health_pointer, "/redis_connected"));
    found.extend(pointer("target.success.pointer", &target.success.pointer, "/result/text"));
    if let Err(error) = regex::Regex::new(&target.success.matches) {
        let key = "target.success.matches";
        let what = error.to_string().lines().last().unwrap_or_default().trim().to_string();
        let message = format!("`{key}` is not a regular expression: {what}");
        found.push(Violation::new(&[key], message).hint("to find a plain word, give just that word: `done`"));
    }
    found.extend(auth(target));
    found.extend(asr(&target.asr, target.kind == TargetKind::Asr));
    found.extend(openai(&target.openai));
    found.extend(http(&target.http));
    found.extend(websocket(&target.websocket, target.kind == TargetKind::Websocket));
    found.extend(command(&target.command, target.kind == TargetKind::Command));
    found
}

/// `used` is true if the tasks are such connections.
fn websocket(websocket: &WebSocketPlan, used: bool) -> Vec<Violation> {
    let mut found: Vec<Violation> = url_path("target.websocket.path", &websocket.path).into_iter().collect();
    #[cfg(not(feature = "websocket"))]
    if used {
        let error = crate::Error::without_feature("`target.kind = \"websocket\"`", "websocket");
        let hint = error.hint_text().unwrap_or_default().to_string();
        found.push(Violation::new(&["target.kind"], error.to_string()).hint(hint));
    }
    if used && websocket.final_pointer.is_empty() {
        let key = "target.websocket.final_pointer";
        found.extend(not_empty(key, ""));
    }
    let pointers = [
        ("final_pointer", &websocket.final_pointer),
        ("text_pointer", &websocket.text_pointer),
        ("duration_pointer", &websocket.duration_pointer),
        ("error_pointer", &websocket.error_pointer),
    ];
    for (field, pointer) in pointers {
        if !pointer.is_empty() && !pointer.starts_with('/') {
            let key = format!("target.websocket.{field}");
            let message = format!("`{key}` must begin with `/`, got `{pointer}`");
            found.push(Violation::new(&[&key], message).hint("a JSON pointer, for example `/result/text`"));
        }
    }
    found
}

/// `used` is true if a program carries out the tasks.
fn command(command: &CommandPlan, used: bool) -> Vec<Violation> {
    let mut found = Vec::new();
    let key = |field: &str| format!("target.command.{field}");
    if used && command.argv.first().is_none_or(|program| program.trim().is_empty()) {
        let message = format!("`{}` names no program", key("argv"));
        let hint = "the program and its arguments: `argv = [\"python3\", \"enqueue.py\", \"{input}\"]`";
        found.push(Violation::new(&[&key("argv")], message).hint(hint));
    }
    #[cfg(not(feature = "command"))]
    if used {
        let error = crate::Error::without_feature("`target.kind = \"command\"`", "command");
        let hint = error.hint_text().unwrap_or_default().to_string();
        found.push(Violation::new(&["target.kind"], error.to_string()).hint(hint));
    }
    if command.success_exit.is_empty() {
        let key = key("success_exit");
        found.push(Violation::new(&[&key], format!("`{key}` must not be empty")).hint("for example `[0]`"));
    }
    for (field, pointer) in
        [("success_pointer", &command.success_pointer), ("duration_pointer", &command.duration_pointer)]
    {
        if !pointer.is_empty() && !pointer.starts_with('/') {
            let message = format!("`{}` must begin with `/`, got `{pointer}`", key(field));
            let hint = "a JSON pointer, for example `/result/text`";
            found.push(Violation::new(&[&key(field)], message).hint(hint));
        }
    }
    for (field, pattern, groups) in
        [("success_pattern", &command.success_pattern, 0), ("duration_pattern", &command.duration_pattern, 1)]
    {
        let key = key(field);
        match regex::Regex::new(pattern) {
            Ok(regex) if !pattern.is_empty() && regex.captures_len() <= groups => {
                let message = format!("`{key}` must have a group for the number, got `{pattern}`");
                found.push(Violation::new(&[&key], message).hint("for example `duration=([0-9.]+)`"));
            }
            Ok(_) => {}
            Err(error) => {
                let what = error.to_string().lines().last().unwrap_or_default().trim().to_string();
                let message = format!("`{key}` is not a regular expression: {what}");
                found.push(Violation::new(&[&key], message));
            }
        }
    }
    found
}

/// `text` with a letter in the place of each `{{…}}`, which becomes letters, digits and hyphens.
fn without_placeholders(text: &str) -> String {
    let mut parts = text.split("{{");
    let mut plain = parts.next().unwrap_or_default().to_string();
    for part in parts {
        match part.split_once("}}") {
            Some((_, rest)) => plain.extend(["x", rest]),
            None => plain.extend(["{{", part]),
        }
    }
    plain
}

/// What is wrong with a URL that may have a path.
pub(super) fn url_violation(key: &str, url: &str) -> Option<Violation> {
    let parsed = url.parse::<hyper::Uri>().ok();
    let whole = parsed.is_some_and(|parsed| {
        matches!(parsed.scheme_str(), Some("http" | "https")) && parsed.authority().is_some()
    });
    (!whole).then(|| {
        Violation::new(&[key], format!("`{key}` must be an `http://` or `https://` URL, got `{url}`"))
    })
}

fn url(target: &TargetPlan) -> Vec<Violation> {
    if names_a_variable(&target.url) {
        // What counts is the URL that comes of it.
        return Vec::new();
    }
    let mut found = Vec::new();
    let url = |message: &str| {
        Violation::new(&["target.url"], format!("`target.url` must be {message}, got `{}`", target.url))
    };
    let parsed = target.url.parse::<hyper::Uri>().ok().filter(|parsed| {
        let whole =
            parsed.port_u16().is_some() || parsed.authority().is_some_and(|authority| !has_port(authority));
        matches!(parsed.scheme_str(), Some("http" | "https")) && whole
    });
    match parsed {
        Some(parsed) if parsed.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
            // What was given is not shown: it holds a password.
            let message = "`target.url` must not hold a name and a password".to_string();
            found.push(
                Violation::new(&["target.url"], message)
                    .hint("name the variable that holds the secret with `target.auth_env`"),
            );
        }
        Some(parsed) if parsed.path() != "/" || parsed.query().is_some() || target.url.contains('#') => {
            found.push(url("a URL without a path").hint(
                "paths have keys of their own: `target.health`, `target.asr.submit`, `target.asr.result`, \
                 `target.openai.path`, `target.http.path`",
            ));
        }
        Some(_) => {}
        None => {
            found.push(url("an `http://` or `https://` URL").hint("for example `http://localhost:8000`"));
        }
    }
    found
}

/// True if something stands where an authority has its port.
fn has_port(authority: &hyper::http::uri::Authority) -> bool {
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let after_address = host.rsplit(']').next().unwrap_or_default();
    after_address.contains(':')
}

fn auth(target: &TargetPlan) -> Vec<Violation> {
    let mut found = Vec::new();
    let name = &target.auth_env;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
        // What was given is not shown: it may be the secret itself.
        let message = "`target.auth_env` must be the name of an environment variable".to_string();
        found.push(
            Violation::new(&["target.auth_env"], message)
                .hint("put the secret into a variable, and that variable's name here: `OPENAI_API_KEY`"),
        );
    }
    if hyper::header::HeaderName::from_bytes(target.auth_header.as_bytes()).is_err() {
        let message =
            format!("`target.auth_header` must be the name of an HTTP header, got `{}`", target.auth_header);
        found.push(Violation::new(&["target.auth_header"], message));
    }
    found
}

fn openai(openai: &OpenAiPlan) -> Vec<Violation> {
    let mut found = Vec::new();
    found.extend(url_path("target.openai.path", &openai.path));
    found.extend(not_empty("target.openai.model", &openai.model));
    if !["json", "verbose_json"].contains(&openai.response_format.as_str()) {
        let key = "target.openai.response_format";
        let message = format!("`{key}` must be `verbose_json` or `json`, got `{}`", openai.response_format);
        found.push(Violation::new(&[key], message));
    }
    found
}

/// `used` is true if the service is addressed so; else its paths may be left out.
fn asr(asr: &AsrPlan, used: bool) -> Vec<Violation> {
    let mut found = Vec::new();
    let given = |path: &str| used || !path.is_empty();
    if given(&asr.submit) {
        found.extend(url_path("target.asr.submit", &asr.submit));
    }
    if given(&asr.result) {
        let path = url_path("target.asr.result", &result_path(asr));
        found.extend(path.map(|wrong| wrong.also_from("target.asr.wait_query")));
    }
    if given(&asr.result) && !asr.result.contains("{task_id}") {
        let message = format!("`target.asr.result` must contain `{{task_id}}`, got `{}`", asr.result);
        found.push(Violation::new(&["target.asr.result"], message));
    }
    found.extend(not_empty("target.asr.field", &asr.field));
    found.extend(not_empty("target.asr.id_field", &asr.id_field));
    found.extend(not_empty("target.asr.status_field", &asr.status_field));
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let lists = [
        ("target.asr.pending", &asr.pending),
        ("target.asr.done", &asr.done),
        ("target.asr.failed", &asr.failed),
    ];
    for (key, words) in lists {
        if words.is_empty() || words.iter().any(|word| word.trim().is_empty()) {
            found.push(Violation::new(
                &[key],
                format!("`{key}` must be a list of status words, none of them empty"),
            ));
        }
        for word in words {
            if let Some(other) = seen.insert(word, key).filter(|other| *other != key) {
                found.push(Violation::new(
                    &[key, other],
                    format!("`{word}` stands in both `{other}` and `{key}`"),
                ));
            }
        }
    }
    found
}

/// The path that is asked for, with a task's id and what makes the service hold its answer back.
fn result_path(asr: &AsrPlan) -> String {
    let path = asr.result.replace("{task_id}", "id");
    match asr.wait_query.as_str() {
        "" => path,
        query => format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' }),
    }
}

fn http(http: &HttpPlan) -> Vec<Violation> {
    let mut found = Vec::new();
    if !METHODS.contains(&http.method.as_str()) {
        let message =
            format!("`target.http.method` must be one of `{}`, got `{}`", METHODS.join("`, `"), http.method);
        found.push(Violation::new(&["target.http.method"], message));
    }
    found.extend(url_path("target.http.path", &without_placeholders(&http.path)));
    for (name, value) in &http.headers {
        let key = format!("target.http.headers.{name}");
        if hyper::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
            found.push(Violation::new(&[&key], format!("`{name}` is not the name of an HTTP header")));
        }
        // The value may be a secret and is not shown.
        if hyper::header::HeaderValue::from_str(value).is_err() {
            found.push(Violation::new(
                &[&key],
                format!("the value of `{key}` cannot stand in an HTTP header"),
            ));
        }
    }
    let bodies = [
        ("target.http.json", http.json.is_some()),
        ("target.http.body", http.body.is_some()),
        ("target.http.bodies", http.bodies.is_some()),
        ("target.http.multipart_field", !http.multipart_field.is_empty()),
    ];
    let set: Vec<&str> = bodies.iter().filter(|(_, set)| *set).map(|(key, _)| *key).collect();
    if let [first, second, ..] = set[..] {
        let message = format!("`{first}` and `{second}` are both set, and a request has one body");
        found.push(Violation::new(&[first, second], message).hint("leave one of them out"));
    }
    if http.success_status.is_empty() {
        let key = "target.http.success_status";
        found.push(Violation::new(&[key], format!("`{key}` must not be empty")).hint("for example `[200]`"));
    }
    found.extend(pointer("target.http.success_pointer", &http.success_pointer, "/result/text"));
    found.extend(pointer("target.http.text_pointer", &http.text_pointer, "/choices/0/delta/content"));
    found.extend(pointer("target.http.error_pointer", &http.error_pointer, "/error"));
    let of_a_stream = [("text_pointer", &http.text_pointer), ("end_message", &http.end_message)];
    for (key, _) in of_a_stream.into_iter().filter(|(_, text)| !text.is_empty() && !http.stream) {
        let key = format!("target.http.{key}");
        let message = format!("`{key}` is for the messages of a stream");
        found.push(Violation::new(&[&key], message).hint("set `target.http.stream = true`, or leave it out"));
    }
    found
}

/// A JSON pointer is empty or begins with a slash.
fn pointer(key: &str, pointer: &str, example: &str) -> Option<Violation> {
    let wrong = !pointer.is_empty() && !pointer.starts_with('/');
    wrong.then(|| {
        let message = format!("`{key}` must begin with `/`, got `{pointer}`");
        Violation::new(&[key], message).hint(format!("a JSON pointer, for example `{example}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::without_placeholders;

    use serde_json::Value;

    use super::super::tests::complaint;
    use super::super::validate;
    use crate::plan::Preset;

    #[test]
    fn the_url_has_a_scheme_a_host_and_no_path() {
        let url = |url: &str| {
            let mut plan = Preset::AsrRq.plan();
            plan.target.url = url.to_string();
            validate(&plan)
        };
        let error = url("http://me:s3cret@a").unwrap_err();
        assert_eq!(error.to_string(), "`target.url` must not hold a name and a password");
        for good in ["http://localhost:8000", "https://asr.example.org", "http://[::1]:1/"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in ["", "localhost:8000", "ftp://a", "http://", "http://a:99999"] {
            assert_eq!(
                url(bad).unwrap_err().to_string(),
                format!("`target.url` must be an `http://` or `https://` URL, got `{bad}`")
            );
        }
        assert_eq!(
            url("http://a/api/v1").unwrap_err().to_string(),
            "`target.url` must be a URL without a path, got `http://a/api/v1`"
        );
    }

    #[test]
    fn the_speech_contract_is_whole() {
        assert_eq!(
            complaint(|plan| plan.target.asr.result = "/result/{id}".into()),
            "`target.asr.result` must contain `{task_id}`, got `/result/{id}`"
        );
        assert_eq!(
            complaint(|plan| plan.target.health = "up".into()),
            "`target.health` must begin with `/`, got `up`"
        );
        assert_eq!(
            complaint(|plan| plan.target.health = "/a b".into()),
            "`target.health` must be the path of a URL, got `/a b`"
        );
        assert_eq!(
            complaint(|plan| plan.target.asr.wait_query = "wait=3 0".into()),
            "`target.asr.result` must be the path of a URL, got `/api/v1/asr/result/id?wait=3 0`"
        );
        assert_eq!(
            complaint(|plan| plan.target.http.path = "/a#b".into()),
            "`target.http.path` must be the path of a URL, got `/a#b`"
        );
        assert_eq!(
            complaint(|plan| plan.target.asr.field = " ".into()),
            "`target.asr.field` must not be empty"
        );
        assert_eq!(
            complaint(|plan| plan.target.asr.done.clear()),
            "`target.asr.done` must be a list of status words, none of them empty"
        );
        assert_eq!(
            complaint(|plan| plan.target.asr.failed.push("queued".into())),
            "`queued` stands in both `target.asr.pending` and `target.asr.failed`"
        );
    }

    #[test]
    fn a_request_can_be_sent_as_configured() {
        assert_eq!(
            complaint(|plan| plan.target.http.method = "post".into()),
            "`target.http.method` must be one of `DELETE`, `GET`, `HEAD`, `OPTIONS`, `PATCH`, `POST`, `PUT`, got `post`"
        );
        assert_eq!(
            complaint(|plan| drop(plan.target.http.headers.insert("a b".into(), "c".into()))),
            "`a b` is not the name of an HTTP header"
        );
        assert_eq!(
            complaint(|plan| drop(plan.target.http.headers.insert("a".into(), "secret\n".into()))),
            "the value of `target.http.headers.a` cannot stand in an HTTP header"
        );
        assert_eq!(
            complaint(|plan| {
                plan.target.http.json = Some(Value::from(1));
                plan.target.http.multipart_field = "file".into();
            }),
            "`target.http.json` and `target.http.multipart_field` are both set, and a request has one body"
        );
        assert_eq!(
            complaint(|plan| plan.target.http.success_status.clear()),
            "`target.http.success_status` must not be empty"
        );
        assert_eq!(
            complaint(|plan| plan.target.http.success_pointer = "text".into()),
            "`target.http.success_pointer` must begin with `/`, got `text`"
        );
        assert_eq!(
            complaint(|plan| plan.target.success.pointer = "text".into()),
            "`target.success.pointer` must begin with `/`, got `text`"
        );
        assert!(
            complaint(|plan| plan.target.success.matches = "(".into())
                .starts_with("`target.success.matches` is not a regular expression")
        );
    }

    #[test]
    fn a_program_is_named_and_its_output_can_be_read() {
        let by_program = |change: fn(&mut crate::plan::CommandPlan)| {
            complaint(|plan| {
                plan.target.kind = crate::plan::TargetKind::Command;
                plan.target.command.argv = vec!["true".into()];
                change(&mut plan.target.command);
            })
        };
        assert_eq!(by_program(|command| command.argv.clear()), "`target.command.argv` names no program");
        assert_eq!(
            by_program(|command| command.success_exit.clear()),
            "`target.command.success_exit` must not be empty"
        );
        assert_eq!(
            by_program(|command| command.duration_pointer = "duration".into()),
            "`target.command.duration_pointer` must begin with `/`, got `duration`"
        );
        assert_eq!(
            by_program(|command| command.duration_pattern = "[0-9]+".into()),
            "`target.command.duration_pattern` must have a group for the number, got `[0-9]+`"
        );
        assert!(
            by_program(|command| command.success_pattern = "(".into())
                .starts_with("`target.command.success_pattern` is not a regular expression")
        );
    }

    #[test]
    fn a_placeholder_may_hold_a_space() {
        assert_eq!(without_placeholders("/a/{{ random 25 }}?b={{n}}"), "/a/x?b=x");
        assert_eq!(without_placeholders("/a/{{n"), "/a/{{n");
    }
}
