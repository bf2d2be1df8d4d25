//! Appends durably: a line is on the disk before `append` returns.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use serde::Serialize;
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};

/// An append-only file of JSON lines, written by a thread of its own.
///
/// Each line is one `write`; lines that arrive together share one `fdatasync`.
/// The thread ends, with everything written, when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
    queue: mpsc::Sender<Entry>,
}

#[derive(Debug)]
struct Entry {
    line: Vec<u8>,
    done: oneshot::Sender<io::Result<()>>,
}

impl Journal {
    /// Opens `path` for appending; it is created if absent.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be opened.
    pub fn open(path: &Path) -> Result<Journal> {
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(|error| {
            Error::new(ErrorKind::Io, format!("cannot open `{}` for writing", path.display())).source(error)
        })?;
        lock(&file);
        let (queue, entries) = mpsc::channel();
        thread::Builder::new()
            .name("highwater-journal".to_string())
            .spawn(move || write_entries(file, &entries))
            .map_err(|error| Error::new(ErrorKind::Io, "cannot start the journal's thread").source(error))?;
        Ok(Journal { path: path.to_path_buf(), queue })
    }

    /// Appends `record` as one line; returns when it is on the disk.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it could not be written or synced. Earlier lines stay whole.
    pub async fn append<T: Serialize>(&self, record: &T) -> Result<()> {
        let mut line = serde_json::to_vec(record).map_err(|error| {
            Error::new(ErrorKind::Data, "a record cannot be expressed in JSON").source(error)
        })?;
        line.push(b'\n');
        let (done, written) = oneshot::channel();
        let sent = self.queue.send(Entry { line, done });
        let result = match sent {
            Ok(()) => written.await.unwrap_or_else(|_| Err(io::Error::other("the journal's thread ended"))),
            Err(_) => Err(io::Error::other("the journal's thread ended")),
        };
        result.map_err(|error| {
            Error::new(ErrorKind::Io, format!("cannot write to `{}`", self.path.display()))
                .source(error)
                .hint("what was written before is safe; free disk space, then run again")
        })
    }
}

/// Marks `file` as being written, for [`is_being_written`], with a lock that ends with the process.
/// On a file system without locks there is no mark, and nothing else depends on it.
fn lock(file: &File) {
    #[cfg(unix)]
    let _: rustix::io::Result<()> =
        rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    #[cfg(not(unix))]
    let _ = file;
}

/// True if a running run is known to have `path` open for writing.
pub(crate) fn is_being_written(path: &Path) -> bool {
    #[cfg(unix)]
    {
        let Ok(file) = File::open(path) else { return false };
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared)
            .is_err_and(|error| error == rustix::io::Errno::WOULDBLOCK)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// The operations on a file that the journal needs; the tests below have a fake that breaks.
trait Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

fn write_entries(mut disk: impl Disk, entries: &mpsc::Receiver<Entry>) {
    let mut torn = false;
    while let Ok(first) = entries.recv() {
        let group: Vec<Entry> = std::iter::once(first).chain(entries.try_iter()).collect();
        let mut written = Vec::with_capacity(group.len());
        for entry in group {
            match write_line(&mut disk, &entry.line, &mut torn) {
                Ok(()) => written.push(entry.done),
                // The caller may have gone (an aborted task); the line is written in any case.
                Err(error) => drop(entry.done.send(Err(error))),
            }
        }
        let synced = disk.sync();
        for done in written {
            let result = match &synced {
                Ok(()) => Ok(()),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            drop(done.send(result));
        }
    }
}

/// Writes one line with one `write`.
///
/// A full disk may take only the beginning of a line. The next line then starts with
/// a newline, so that it is not lost together with the torn one.
fn write_line(disk: &mut impl Disk, line: &[u8], torn: &mut bool) -> io::Result<()> {
    let repaired;
    let bytes = if *torn {
        repaired = [b"\n", line].concat();
        &repaired
    } else {
        line
    };
    loop {
        match disk.append(bytes) {
            Ok(count) if count == bytes.len() => {
                *torn = false;
                return Ok(());
            }
            Ok(count) => {
                *torn = *torn || count > 0;
                return Err(io::Error::new(
                    io::ErrorKind::StorageFull,
                    format!("only {count} of {} bytes were written", bytes.len()),
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// A disk with room for this many more bytes, shared so that a test can look at it.
    #[derive(Default)]
    struct Small {
        room: usize,
        content: Vec<u8>,
        syncs: usize,
    }

    impl Disk for Rc<RefCell<Small>> {
        fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.borrow_mut();
            let count = bytes.len().min(disk.room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            disk.room -= count;
            disk.content.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn sync(&mut self) -> io::Result<()> {
            self.borrow_mut().syncs += 1;
            Ok(())
        }
    }

    #[test]
    fn a_line_torn_by_a_full_disk_does_not_take_the_next_with_it() {
        let disk = Rc::new(RefCell::new(Small { room: 10, ..Small::default() }));
        let mut torn = false;
        write_line(&mut disk.clone(), b"[1]\n", &mut torn).unwrap();
        write_line(&mut disk.clone(), b"[2,3,4,5,6]\n", &mut torn).unwrap_err();
        write_line(&mut disk.clone(), b"[7]\n", &mut torn).unwrap_err();
        disk.borrow_mut().room = 100;
        write_line(&mut disk.clone(), b"[8]\n", &mut torn).unwrap();
        let (records, damage) = super::super::parse_lines::<Vec<u32>>("a", &disk.borrow().content);
        assert_eq!(records, [vec![1], vec![8]]);
        assert_eq!(damage.len(), 1);
    }

    #[test]
    fn lines_that_arrive_together_share_one_sync() {
        let disk = Rc::new(RefCell::new(Small { room: 1000, ..Small::default() }));
        let (queue, entries) = mpsc::channel();
        let mut waiting = Vec::new();
        for number in 0..5 {
            let (done, written) = oneshot::channel();
            queue.send(Entry { line: format!("{number}\n").into_bytes(), done }).unwrap();
            waiting.push(written);
        }
        drop(queue);
        write_entries(disk.clone(), &entries);
        assert_eq!(disk.borrow().content, b"0\n1\n2\n3\n4\n");
        assert_eq!(disk.borrow().syncs, 1);
        for mut written in waiting {
            written.try_recv().unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_file_is_being_written_until_its_journal_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.jsonl");
        assert!(!is_being_written(&path), "it is not there");
        let journal = Journal::open(&path).unwrap();
        journal.append(&1).await.unwrap();
        assert!(is_being_written(&path));
        drop(journal);
        while is_being_written(&path) {
            // The journal's thread ends asynchronously.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_line_is_in_the_file_when_append_returns() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.jsonl");
        let journal = Journal::open(&path).unwrap();
        journal.append(&[1, 2]).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"[1,2]\n");
    }
}
