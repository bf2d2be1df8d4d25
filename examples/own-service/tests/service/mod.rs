//! The service under test: started on a port that the system chooses, gone with its guard.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running service. Dropped, also by a panic, it is killed.
pub struct Service {
    process: Child,
    /// The URL on which it listens.
    pub url: String,
}

impl Service {
    /// Starts the service, healthy.
    pub fn start() -> Service {
        Service::spawn(&mut Command::new(env!("CARGO_BIN_EXE_own-service")))
    }

    /// Starts the service with its bug.
    pub fn start_with_leak() -> Service {
        Service::spawn(Command::new(env!("CARGO_BIN_EXE_own-service")).env("KEEP_EVERYTHING", "1"))
    }

    /// The process to watch.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    fn spawn(command: &mut Command) -> Service {
        let process = command.stdout(Stdio::piped()).spawn().expect("the service starts");
        let mut service = Service { process, url: String::new() };
        let stdout = service.process.stdout.take().expect("stdout is piped");
        // The service says where it listens once it does; no test has to guess or to wait.
        BufReader::new(stdout).read_line(&mut service.url).expect("the service says where it listens");
        service.url = service.url.trim().to_string();
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
