//! Generates recordings of any length from one small speech clip.
//!
//! Pure: no file, no clock, and integer arithmetic only, so that every machine
//! generates the same bytes and results can be compared between machines.

use std::io::Cursor;
use std::ops::Range;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

/// The sample rate of all generated recordings.
pub const SAMPLE_RATE: u32 = 16_000;

/// Bytes of the RIFF header before the samples.
const HEADER_BYTES: u64 = 44;

/// Part of the cached file's path. Raise it whenever [`make`] generates different
/// bytes, so that an old file is never taken for a new one.
pub(super) const CONTENT_VERSION: u32 = 1;

/// Several sentences with silence between them; `fixtures/README.md` says how it was made.
const CLIP: &[u8] = include_bytes!("../../fixtures/speech.wav");

/// Below this amplitude (0.5 % of full scale) the clip is silent.
const SILENT_BELOW: u16 = 164;

/// This many silent samples in a row (0.3 s) end a sentence; a comma is shorter.
const SENTENCE_GAP: usize = 4_800;

/// A WAV file of exactly `seconds` of speech: 16 kHz, mono, 16-bit PCM.
///
/// The sentences of the clip follow one another in varying order, each with a
/// gain and a pause of its own over faint noise, so that no two stretches are
/// alike and a service cannot profit from repetition.
pub fn make(seconds: u32) -> Vec<u8> {
    let clip = clip_samples();
    let sentences = sentences(&clip);
    let wanted = seconds as usize * SAMPLE_RATE as usize;
    let mut dice = Dice::new();
    let mut samples: Vec<i16> = Vec::with_capacity(wanted);
    while samples.len() < wanted {
        let sentence = &clip[sentences[dice.below(sentences.len() as u32) as usize].clone()];
        // The clip's peak is 0.71 of full scale, so a gain of 320/256 cannot overflow.
        let gain = 96 + dice.below(225) as i32;
        let pause = 3_200 + dice.below(9_600) as usize;
        let spoken = sentence.iter().map(|&sample| i32::from(sample) * gain / 256);
        for sample in spoken.chain(std::iter::repeat_n(0, pause)).take(wanted - samples.len()) {
            let noise = dice.below(17) as i32 - 8;
            samples.push((sample + noise).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16);
        }
    }
    wav(&samples)
}

/// The size in bytes of the file that [`make`] generates for `seconds`.
pub fn made_bytes(seconds: u32) -> u64 {
    HEADER_BYTES + u64::from(seconds) * u64::from(SAMPLE_RATE) * 2
}

fn clip_samples() -> Vec<i16> {
    let reader = WavReader::new(CLIP).expect("the embedded clip is a WAV file");
    reader.into_samples().collect::<Result<_, _>>().expect("the embedded clip is whole")
}

/// Where the sentences of `clip` are, without the silence around them.
fn sentences(clip: &[i16]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (index, _) in clip.iter().enumerate().filter(|(_, sample)| sample.unsigned_abs() >= SILENT_BELOW) {
        match found.last_mut() {
            Some(sentence) if index - sentence.end < SENTENCE_GAP => sentence.end = index + 1,
            _ => found.push(index..index + 1),
        }
    }
    found
}

fn wav(samples: &[i16]) -> Vec<u8> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::with_capacity(HEADER_BYTES as usize + samples.len() * 2));
    let mut writer = WavWriter::new(&mut file, spec).expect("writing to memory does not fail");
    for &sample in samples {
        writer.write_sample(sample).expect("writing to memory does not fail");
    }
    writer.finalize().expect("writing to memory does not fail");
    file.into_inner()
}

/// A linear congruential generator (Knuth's MMIX constants) with a fixed seed.
struct Dice(u64);

impl Dice {
    fn new() -> Dice {
        Dice(0x6869_6768_7761_7465)
    }

    /// A number from 0 up to but not including `bound`.
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The low bits of such a generator have short periods, so the high bits are used.
        (((self.0 >> 32) * u64::from(bound)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a, 64 bit.
    fn fnv(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    #[test]
    fn the_clip_has_four_sentences_and_room_for_the_gain() {
        let clip = clip_samples();
        let seconds: Vec<f64> =
            sentences(&clip).iter().map(|range| range.len() as f64 / f64::from(SAMPLE_RATE)).collect();
        assert_eq!(seconds.len(), 4, "{seconds:?}");
        assert!(seconds.iter().all(|&length| (0.5..6.0).contains(&length)), "{seconds:?}");
        assert!(clip.iter().all(|sample| i32::from(sample.unsigned_abs()) * 320 / 256 < 32_000));
    }

    #[test]
    fn the_bytes_are_the_same_everywhere() {
        // If they change on purpose, raise CONTENT_VERSION, too.
        let short = make(147);
        assert_eq!((short.len(), fnv(&short)), (4_704_044, 0xb889_cf83_77dd_11f5));
        let long = make(734);
        assert_eq!((long.len(), fnv(&long)), (23_488_044, 0x815c_68ea_b791_9f12));
        assert_eq!(CONTENT_VERSION, 1);
    }

    #[test]
    fn the_size_is_known_before_the_file_is_made() {
        for seconds in [0, 1, 3] {
            assert_eq!(make(seconds).len() as u64, made_bytes(seconds));
        }
        assert_eq!((made_bytes(147), made_bytes(734)), (4_704_044, 23_488_044));
    }

    #[test]
    fn no_two_seconds_are_alike() {
        let made = make(60);
        let mut seconds: Vec<u64> = made[44..].chunks(SAMPLE_RATE as usize * 2).map(fnv).collect();
        seconds.sort_unstable();
        seconds.dedup();
        assert_eq!(seconds.len(), 60);
    }
}
