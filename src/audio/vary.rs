//! Other content of the same length, from one recording. Pure.

use std::io::Cursor;

use bytes::Bytes;
use hound::WavReader;

/// Samples by which one variation is turned further than the one before: a prime, so that they meet late.
const STEP: u64 = 16_033;

/// The `number`th variation of a WAV file with PCM samples: the same sound, begun elsewhere.
///
/// Length, format and every statistic of the samples stay, so that a service works as hard for it; the bytes are
/// others, so that nothing keyed by content has met it before. Absent for what is no such file, and for a file
/// too short to be turned.
pub fn varied(recording: &Bytes, number: u64) -> Option<Bytes> {
    let reader = WavReader::new(Cursor::new(recording.as_ref())).ok()?;
    let spec = reader.spec();
    let frame = u64::from(spec.channels) * u64::from(spec.bits_per_sample / 8);
    let frames = u64::from(reader.duration());
    let start = usize::try_from(reader.into_inner().position()).ok()?;
    let end = start.checked_add(usize::try_from(frames * frame).ok()?)?;
    let samples = recording.get(start..end).filter(|samples| !samples.is_empty())?;
    let turned = number.wrapping_mul(STEP) % frames * frame;
    if turned == 0 && number > 0 {
        return None;
    }
    let (front, back) = samples.split_at(usize::try_from(turned).ok()?);
    Some([&recording[..start], back, front, &recording[end..]].concat().into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::make;
    use super::*;

    #[test]
    fn variations_differ_in_content_and_in_nothing_else() {
        let original = Bytes::from(make(3));
        let all: BTreeSet<Bytes> =
            (0..20).map(|number| varied(&original, number).expect("a variation")).collect();
        assert_eq!(all.len(), 20);
        assert!(all.contains(&original), "variation 0 is the recording itself");
        let sum = |wav: &Bytes| {
            WavReader::new(Cursor::new(wav.as_ref()))
                .unwrap()
                .into_samples::<i16>()
                .map(|sample| i64::from(sample.unwrap()))
                .sum::<i64>()
        };
        for wav in &all {
            assert_eq!(wav.len(), original.len());
            assert_eq!(sum(wav), sum(&original));
        }
    }

    #[test]
    fn what_is_no_pcm_file_has_no_variation() {
        assert_eq!(varied(&Bytes::from_static(b"ID3 and what follows"), 1), None);
        assert_eq!(varied(&Bytes::new(), 1), None);
    }
}
