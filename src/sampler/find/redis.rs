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

/// Asks Redis for a sign of life; one that refuses the question is there all the same.
pub(super) fn answers(url: &str) -> Result<(), String> {
    let gone = |error: RedisError| format!("Redis at {}: {}", shown(url), why(&error));
    let client = Client::open(url).map_err(gone)?;
    let asked = client.get_connection_with_timeout(PATIENCE).and_then(|mut connection| {
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        redis::cmd("PING").query::<redis::Value>(&mut connection)
    });
    match asked {
        Err(error) if error.is_io_error() || error.is_timeout() => Err(gone(error)),
        _ => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_redis_that_refuses_the_question_is_there_and_one_that_is_gone_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("redis://{}/0", listener.local_addr().expect("bound"));
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut asked = [0; 1024];
            while let Ok(bytes @ 1..) = stream.read(&mut asked) {
                // Each command begins with a star; several may come at once.
                let commands = asked[..bytes].iter().filter(|byte| **byte == b'*').count();
                let refusal = "-NOAUTH Authentication required.\r\n".repeat(commands);
                if stream.write_all(refusal.as_bytes()).is_err() {
                    break;
                }
            }
        });
        assert_eq!(answers(&url), Ok(()));
        serving.join().expect("the listener ends with its connection");
        let gone = answers(&url).expect_err("nothing listens any more");
        assert!(gone.contains("Redis at `redis://127.0.0.1:"), "{gone}");
    }
}
