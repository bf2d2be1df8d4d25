//! Appends durably: a line is on the disk before `append` returns.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use serde::Serialize;
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};

/// An append-only file of JSON lines, written by a thread of its own.
///
/// Lines that arrive together share one `write` and one `fdatasync`.
/// The thread ends, with everything written, when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
    queue: mpsc::Sender<Entry>,
    /// Why a line that was posted could not be written, once one could not.
    lost: Arc<OnceLock<io::Error>>,
}

#[derive(Debug)]
struct Entry {
    line: Vec<u8>,
    /// Learns when the line is on the disk; absent where nobody waits.
    done: Option<oneshot::Sender<io::Result<()>>>,
    /// Where nobody waits, learns that it could not be written.
    posted: Option<Arc<OnceLock<io::Error>>>,
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
        Journal::of(path, file)
    }

    /// Opens `path` for appending if it is there.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub(crate) fn reopen(path: &Path) -> Result<Option<Journal>> {
        match OpenOptions::new().append(true).open(path) {
            Ok(file) => Journal::of(path, file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Error::new(ErrorKind::Io, format!("cannot open `{}` for writing", path.display()))
                    .source(error))
            }
        }
    }

    fn of(path: &Path, file: File) -> Result<Journal> {
        lock(&file);
        let (queue, entries) = mpsc::channel();
        thread::Builder::new()
            .name("highwater-journal".to_string())
            .spawn(move || write_entries(file, &entries))
            .map_err(|error| Error::new(ErrorKind::Io, "cannot start the journal's thread").source(error))?;
        Ok(Journal { path: path.to_path_buf(), queue, lost: Arc::default() })
    }

    /// Appends `record` as one line; returns when it is on the disk.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it could not be written or synced. Earlier lines stay whole.
    pub async fn append<T: Serialize>(&self, record: &T) -> Result<()> {
        self.append_line(line_of(record)?).await
    }

    /// Appends `line`, which ends in a newline; returns when it is on the disk.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub(crate) async fn append_line(&self, line: Vec<u8>) -> Result<()> {
        let (done, written) = oneshot::channel();
        if let Some(error) = self.lost.get() {
            return Err(self.failed(copy(Some(error))));
        }
        let sent = self.queue.send(Entry { line, done: Some(done), posted: None });
        let result = match sent {
            Ok(()) => written.await.unwrap_or_else(|_| Err(io::Error::other("the journal's thread ended"))),
            Err(_) => Err(io::Error::other("the journal's thread ended")),
        };
        result.map_err(|error| self.failed(error))
    }

    /// Appends `line`, which ends in a newline, and does not wait until it is on the disk: for what is shown to nobody.
    ///
    /// # Errors
    /// As [`Journal::append`], also for a line that was posted before.
    pub(crate) fn post_line(&self, line: Vec<u8>) -> Result<()> {
        if let Some(error) = self.lost.get() {
            return Err(self.failed(copy(Some(error))));
        }
        let entry = Entry { line, done: None, posted: Some(Arc::clone(&self.lost)) };
        self.queue.send(entry).map_err(|_| self.failed(io::Error::other("the journal's thread ended")))
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::new(ErrorKind::Io, format!("cannot write to `{}`", self.path.display()))
            .source(error)
            .hint("what was written before is safe; free disk space, then run again")
    }
}

/// The line of `record`, with its end.
///
/// # Errors
/// [`ErrorKind::Data`] if it cannot be expressed in JSON.
pub(crate) fn line_of<T: Serialize>(record: &T) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)
        .map_err(|error| Error::new(ErrorKind::Data, "a record cannot be expressed in JSON").source(error))?;
    line.push(b'\n');
    Ok(line)
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
        let lines: Vec<&[u8]> = group.iter().map(|entry| entry.line.as_slice()).collect();
        let (whole, mut failure) = write_lines(&mut disk, &lines, &mut torn);
        // Nobody waits for the lines that are only posted: the next that somebody waits for syncs them, too.
        if group.iter().any(|entry| entry.done.is_some())
            && let Err(error) = disk.sync()
        {
            failure = Some(failure.unwrap_or(error));
            for done in group.into_iter().filter_map(|entry| entry.done) {
                drop(done.send(Err(copy(failure.as_ref()))));
            }
            continue;
        }
        for (index, entry) in group.into_iter().enumerate() {
            let result = if index < whole { Ok(()) } else { Err(copy(failure.as_ref())) };
            match entry.done {
                // The caller may have gone (an aborted task); the line is written in any case.
                Some(done) => drop(done.send(result)),
                None => {
                    if let (Err(error), Some(posted)) = (result, &entry.posted) {
                        // Later errors say the same.
                        drop(posted.set(error));
                    }
                }
            }
        }
    }
}

/// The same error once more: each line that is lost has it.
fn copy(error: Option<&io::Error>) -> io::Error {
    error.map_or_else(
        || io::Error::other("not written"),
        |error| io::Error::new(error.kind(), error.to_string()),
    )
}

/// Writes lines with one `write`; returns how many are whole, and why not all are.
///
/// A full disk may take only the beginning of a line. The next line then starts with
/// a newline, so that it is not lost together with the torn one.
fn write_lines(disk: &mut impl Disk, lines: &[&[u8]], torn: &mut bool) -> (usize, Option<io::Error>) {
    let mut bytes = Vec::with_capacity(1 + lines.iter().map(|line| line.len()).sum::<usize>());
    if *torn {
        bytes.push(b'\n');
    }
    bytes.extend(lines.iter().flat_map(|line| line.iter()));
    let repair = usize::from(*torn);
    loop {
        match disk.append(&bytes) {
            Ok(count) if count == bytes.len() => {
                *torn = false;
                return (lines.len(), None);
            }
            Ok(count) => {
                let (mut whole, mut left) = (0, count.saturating_sub(repair));
                while whole < lines.len() && left >= lines[whole].len() {
                    left -= lines[whole].len();
                    whole += 1;
                }
                *torn = left > 0 || (*torn && count == 0);
                let why = format!("only {count} of {} bytes were written", bytes.len());
                return (whole, Some(io::Error::new(io::ErrorKind::StorageFull, why)));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (0, Some(error)),
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
        let mut write = |lines: &[&[u8]]| {
            let (whole, failure) = write_lines(&mut disk.clone(), lines, &mut torn);
            (whole, failure.is_some())
        };
        assert_eq!(write(&[b"[1]\n", b"[2,3,4,5,6]\n", b"[9]\n"]), (1, true));
        assert_eq!(write(&[b"[7]\n"]), (0, true));
        disk.borrow_mut().room = 100;
        assert_eq!(write(&[b"[8]\n"]), (1, false));
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
            let line = format!("{number}\n").into_bytes();
            queue.send(Entry { line, done: Some(done), posted: None }).unwrap();
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
