//! The recordings as files: made once, kept, repaired, shared by racing users.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use highwater::audio::{self, Recordings};
use highwater::plan::{AudioKind, AudioPlan};
use highwater::{Error, ErrorKind};
use tempfile::TempDir;

fn made_in(directories: &[&Path]) -> Result<Recordings, Error> {
    let directories: Vec<PathBuf> = directories.iter().map(|path| path.to_path_buf()).collect();
    audio::load_in(&AudioPlan::default(), &directories)
}

/// The names of what is in `directory`, sorted.
fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory exists");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("the directory can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A plan whose short recording is the user's file at `path`.
fn own(path: &Path) -> AudioPlan {
    AudioPlan { short: Some(path.to_path_buf()), long: Some(path.to_path_buf()) }
}

#[test]
fn recordings_are_made_once_and_kept() {
    let home = TempDir::new().unwrap();
    let cache = home.path().join("not/there/yet");
    let first = made_in(&[&cache]).unwrap();
    assert_eq!((first.short.bytes.len(), first.short.seconds), (4_704_044, 147.0));
    assert_eq!((first.long.bytes.len(), first.long.seconds), (23_488_044, 734.0));
    assert_eq!((first.short.kind, first.get(AudioKind::Long).kind), (AudioKind::Short, AudioKind::Long));
    assert_eq!((first.short.stem.as_str(), first.long.file_name.as_str()), ("short", "long.wav"));
    assert_eq!(files(&cache.join("recordings-v1")), ["long.wav", "short.wav"], "nothing else is left behind");
    let facts = audio::probe(&first.long.path).unwrap();
    assert_eq!((facts.seconds, facts.sample_rate, facts.channels), (734.0, 16_000, 1));

    let written = fs::metadata(&first.short.path).unwrap().modified().unwrap();
    let second = made_in(&[&cache]).unwrap();
    assert_eq!(second.short.bytes, first.short.bytes);
    assert_eq!(fs::metadata(&second.short.path).unwrap().modified().unwrap(), written);
}

#[test]
fn a_torn_file_is_made_anew() {
    let cache = TempDir::new().unwrap();
    let path = cache.path().join("recordings-v1/short.wav");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, &audio::make(147)[..1_000_000]).unwrap();
    let recordings = made_in(&[cache.path()]).unwrap();
    assert_eq!(recordings.short.bytes.len(), 4_704_044);
    assert_eq!(fs::metadata(&path).unwrap().len(), 4_704_044);
}

#[test]
fn a_directory_that_takes_nothing_is_passed_over() {
    let home = TempDir::new().unwrap();
    // A file where the directory should be refuses everybody, also root.
    let blocked = home.path().join("file");
    fs::write(&blocked, "").unwrap();
    let second = home.path().join("second");
    let recordings = made_in(&[&blocked, &second]).unwrap();
    assert!(recordings.short.path.starts_with(&second));

    let error = made_in(&[&blocked]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().starts_with("cannot write the recording `"), "{error}");
    assert!(error.hint_text().unwrap().contains("HIGHWATER_CACHE_DIR"));
}

#[test]
fn racing_users_all_get_whole_files() {
    const USERS: usize = 4;
    let cache = TempDir::new().unwrap();
    let start = Barrier::new(USERS);
    std::thread::scope(|scope| {
        let users: Vec<_> = (0..USERS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    made_in(&[cache.path()]).unwrap()
                })
            })
            .collect();
        for user in users {
            let recordings = user.join().unwrap();
            assert_eq!(recordings.short.bytes.len(), 4_704_044);
            assert_eq!(fs::read(&recordings.short.path).unwrap(), recordings.short.bytes);
        }
    });
    assert_eq!(files(&cache.path().join("recordings-v1")), ["long.wav", "short.wav"]);
}

#[test]
fn a_users_own_file_keeps_its_name_and_says_its_length() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("my call.wav");
    fs::write(&path, audio::make(3)).unwrap();
    let recordings = audio::load_in(&own(&path), &[]).unwrap();
    assert_eq!((recordings.short.stem.as_str(), recordings.short.seconds), ("my call", 3.0));
    assert_eq!(recordings.short.bytes.len(), 96_044);
}

#[test]
fn what_is_wrong_with_a_users_file_is_said_with_its_path() {
    let home = TempDir::new().unwrap();
    let check = |path: &Path, kind: ErrorKind, end: &str| {
        for error in [audio::load_in(&own(path), &[]).unwrap_err(), audio::probe(path).unwrap_err()] {
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            assert!(error.to_string().ends_with(end), "{error}");
            assert!(error.hint_text().is_some(), "{error}");
        }
    };
    check(&home.path().join("missing.wav"), ErrorKind::Io, "missing.wav`");
    check(home.path(), ErrorKind::Io, "`");
    let empty = home.path().join("empty.wav");
    fs::write(&empty, "").unwrap();
    check(&empty, ErrorKind::Data, "is empty");
    let silent = home.path().join("silent.wav");
    fs::write(&silent, audio::make(0)).unwrap();
    check(&silent, ErrorKind::Data, "contains no audio");
    let cut = home.path().join("cut.wav");
    fs::write(&cut, &audio::make(2)[..20_000]).unwrap();
    check(&cut, ErrorKind::Data, "but it has 19956");
    let text = home.path().join("text.wav");
    fs::write(&text, "no audio at all".repeat(100)).unwrap();
    check(&text, ErrorKind::Data, "is not an audio file that highwater can read");
}
