//! Asks Redis for RQ's workers.

use std::time::Duration;

use redis::{Client, Commands, Connection, RedisError};

use super::rq::{Registry, RqWorker, shown};

/// The time limit for connecting to Redis, and for each answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The registered workers of `queue`.
pub(super) fn workers(url: &str, queue: &str) -> Registry {
    let failed =
        |error: RedisError| format!("cannot read RQ's registry in Redis at {}: {}", shown(url), why(&error));
    let client = Client::open(url).map_err(failed)?;
    let mut connection = client.get_connection_with_timeout(PATIENCE).map_err(failed)?;
    connection.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    connection.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    let keys: Vec<String> = connection.smembers(format!("rq:workers:{queue}")).map_err(failed)?;
    let mut workers = Vec::new();
    for key in keys {
        workers.extend(worker(&mut connection, &key).map_err(failed)?);
    }
    workers.sort_by_key(|worker| worker.pid);
    Ok(workers)
}

/// The worker of one hash; `None` if the hash has expired or names no process.
fn worker(connection: &mut Connection, key: &str) -> Result<Option<RqWorker>, RedisError> {
    let fields: (Option<u32>, Option<String>, Option<String>) =
        redis::cmd("HMGET").arg(key).arg("pid").arg("hostname").arg("birth").query(connection)?;
    let (Some(pid), Some(hostname), birth) = fields else { return Ok(None) };
    let name = key.strip_prefix("rq:worker:").unwrap_or(key).to_string();
    let birth = birth.and_then(|birth| birth.parse().ok());
    Ok(Some(RqWorker { name, pid, hostname, birth }))
}

/// The kind of the error and the server's message, neither of which contains the URL.
fn why(error: &RedisError) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_string();
    }
    match std::error::Error::source(error) {
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    }
}
