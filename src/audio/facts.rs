//! Reads length, sample rate and channels from the headers of an audio file.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The facts about an audio file that its headers give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AudioFacts {
    /// Length of the audio in seconds, above 0.
    pub seconds: f64,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Samples per second and channel; 0 if unknown.
    pub sample_rate: u32,
    /// Number of channels; 0 if unknown.
    pub channels: u16,
}

/// Reads the headers of the audio file at `path`: WAV, MP3, FLAC, Ogg, M4A and
/// the other formats of `lofty`.
///
/// # Errors
/// `Io` if the file is missing or cannot be read, `Data` if it is empty, contains
/// no audio, is cut short, or has an unknown format.
pub fn probe(path: &Path) -> Result<AudioFacts> {
    // Checked before it is opened, since opening a pipe waits for its other end.
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, error))?;
    regular(path, &metadata)?;
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    facts(path, BufReader::new(file), metadata.len())
}

/// Refuses all but regular files: a pipe would block for ever, `/dev/zero` would fill the memory.
pub(super) fn regular(path: &Path, metadata: &std::fs::Metadata) -> Result<()> {
    if metadata.is_dir() {
        return Err(unreadable(path, std::io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        let message = format!("`{}` is not a regular file, but a device, a pipe or a socket", path.display());
        return Err(Error::new(ErrorKind::Io, message)
            .hint("save the recording into a file, and give the path of that"));
    }
    Ok(())
}

/// The facts about the `bytes` bytes of `reader`; `path` is used in messages only.
pub(super) fn facts(path: &Path, mut reader: impl Read + Seek, bytes: u64) -> Result<AudioFacts> {
    if bytes == 0 {
        return Err(broken(path, "is empty"));
    }
    let facts = match riff_facts(&mut reader, bytes) {
        Some(Ok(facts)) => facts,
        Some(Err(Wav::Broken(error))) => return Err(broken(path, "is not a valid WAV file").source(error)),
        Some(Err(Wav::CutShort { said, held })) => {
            let what = format!("is cut short: its header says {said} bytes of audio, but it has {held}");
            return Err(broken(path, &what));
        }
        // Not a WAV file, or one whose encoding hound does not know (µ-law, ADPCM, …).
        None => other_facts(&mut reader, bytes)
            .map_err(|error| broken(path, "is not an audio file that highwater can read").source(error))?,
    };
    if facts.seconds > 0.0 { Ok(facts) } else { Err(broken(path, "contains no audio")) }
}

/// The problems of a WAV file.
enum Wav {
    Broken(hound::Error),
    CutShort { said: u64, held: u64 },
}

/// The facts about a WAV file; `None` if it is none or lofty should read it.
fn riff_facts(reader: &mut (impl Read + Seek), bytes: u64) -> Option<Result<AudioFacts, Wav>> {
    let mut magic = [0; 12];
    reader.seek(SeekFrom::Start(0)).and_then(|_| reader.read_exact(&mut magic)).ok()?;
    if &magic[..4] != b"RIFF" || &magic[8..] != b"WAVE" {
        return None;
    }
    reader.seek(SeekFrom::Start(0)).ok()?;
    let wav = match hound::WavReader::new(reader) {
        Ok(wav) => wav,
        Err(hound::Error::Unsupported) => return None,
        Err(error) => return Some(Err(Wav::Broken(error))),
    };
    let (spec, frames) = (wav.spec(), wav.duration());
    let samples = u64::from(frames) * u64::from(spec.channels);
    let said = samples * u64::from(spec.bits_per_sample.div_ceil(8));
    // The reader is now at the first sample.
    let held = wav.into_inner().stream_position().map_or(0, |start| bytes.saturating_sub(start));
    if held < said {
        return Some(Err(Wav::CutShort { said, held }));
    }
    Some(Ok(AudioFacts {
        seconds: f64::from(frames) / f64::from(spec.sample_rate.max(1)),
        bytes,
        sample_rate: spec.sample_rate,
        channels: spec.channels,
    }))
}

/// The facts of what is not WAV.
#[cfg(feature = "audio-formats")]
fn other_facts(reader: &mut (impl Read + Seek), bytes: u64) -> Result<AudioFacts, lofty::error::LoftyError> {
    reader.seek(SeekFrom::Start(0))?;
    // Tags are not read, so that a broken tag does not invalidate a good file.
    let options = lofty::config::ParseOptions::new().read_tags(false).read_cover_art(false);
    let file = lofty::probe::Probe::new(BufReader::new(reader)).options(options).guess_file_type()?.read()?;
    let properties = lofty::file::AudioFile::properties(&file);
    Ok(AudioFacts {
        seconds: properties.duration().as_secs_f64(),
        bytes,
        sample_rate: properties.sample_rate().unwrap_or(0),
        channels: properties.channels().map_or(0, u16::from),
    })
}

#[cfg(not(feature = "audio-formats"))]
fn other_facts(_: &mut (impl Read + Seek), _: u64) -> Result<AudioFacts> {
    Err(Error::without_feature("audio that is not plain WAV", "audio-formats"))
}

/// The error for a file that the system does not let us read.
pub(super) fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => {
            "check `audio.short` and `audio.long`; a relative path starts at the current directory, and \
             without them highwater makes its own recordings"
        }
        std::io::ErrorKind::PermissionDenied => "make the file readable for the user that runs highwater",
        _ => "give the path of a readable audio file",
    };
    Error::new(ErrorKind::Io, format!("cannot read the audio file `{}`", path.display()))
        .source(error)
        .hint(hint)
}

fn broken(path: &Path, what: &str) -> Error {
    let shown = path.display();
    Error::new(ErrorKind::Data, format!("the audio file `{shown}` {what}"))
        .hint(format!("give another file, or make a plain one: ffmpeg -i '{shown}' -ar 16000 -ac 1 new.wav"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::audio::make;

    fn of(bytes: &[u8]) -> Result<AudioFacts> {
        facts(Path::new("a.wav"), Cursor::new(bytes), bytes.len() as u64)
    }

    fn message(bytes: &[u8]) -> String {
        of(bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_wav_file_says_its_length() {
        let facts = of(&make(2)).unwrap();
        assert_eq!(facts, AudioFacts { seconds: 2.0, bytes: 64_044, sample_rate: 16_000, channels: 1 });
    }

    #[test]
    #[cfg(feature = "audio-formats")]
    fn an_mp3_file_says_its_length() {
        // MPEG 1 layer III, 128 kbit/s, 44.1 kHz, stereo: a frame is 417 bytes and 1152 samples.
        let mut frame = vec![0u8; 417];
        frame[..4].copy_from_slice(&[0xFF, 0xFB, 0x90, 0x00]);
        let facts = of(&frame.repeat(100)).unwrap();
        assert!((facts.seconds - 100.0 * 1152.0 / 44_100.0).abs() < 0.05, "{facts:?}");
        assert_eq!((facts.sample_rate, facts.channels), (44_100, 2));
    }

    #[test]
    #[cfg(feature = "audio-formats")]
    fn a_flac_file_says_its_length() {
        let mut bytes = b"fLaC\x80\x00\x00\x22\x10\x00\x10\x00\x00\x00\x00\x00\x00\x00".to_vec();
        // 20 bits sample rate, 3 bits channels - 1, 5 bits depth - 1, 36 bits samples; then an MD5.
        let packed: u64 = 16_000 << 44 | 15 << 36 | 48_000;
        bytes.extend(packed.to_be_bytes());
        bytes.extend([0; 16]);
        bytes.extend([0xFF, 0xF8, 0, 0]);
        let facts = of(&bytes).unwrap();
        assert_eq!((facts.seconds, facts.sample_rate, facts.channels), (3.0, 16_000, 1));
    }

    #[test]
    fn what_is_no_audio_is_refused() {
        assert_eq!(message(b""), "the audio file `a.wav` is empty");
        assert_eq!(message(&make(0)), "the audio file `a.wav` contains no audio");
        let text = b"these are only words, and enough of them to be looked at".repeat(20);
        assert_eq!(message(&text), "the audio file `a.wav` is not an audio file that highwater can read");
        assert_eq!(message(&make(1)[..20]), "the audio file `a.wav` is not a valid WAV file");
        assert_eq!(
            message(&make(1)[..1_044]),
            "the audio file `a.wav` is cut short: its header says 32000 bytes of audio, but it has 1000"
        );
    }
}
