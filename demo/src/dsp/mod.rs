//! The work of a task: pure signal processing, from WAV bytes to segments.

mod mel;
mod speech;
mod wav;

use crate::wire::Segment;

/// All that a task computes; dropping it frees the task's memory.
pub(super) struct Recognition {
    /// Length of the audio in seconds.
    pub(super) duration_s: f64,
    /// The stretches of speech.
    pub(super) segments: Vec<Segment>,
    /// The decoded audio, kept until the task is over, as the bulk of its memory …
    _samples: Vec<f32>,
    /// … and the spectrogram.
    _mel: Vec<f32>,
}

/// Decodes the audio and finds the speech in it, `slow` times over.
///
/// # Errors
/// One sentence on why the audio cannot be decoded.
pub(super) fn recognise(audio: &[u8], slow: f64) -> Result<Recognition, String> {
    for _ in 1..slow.floor() as u64 {
        std::hint::black_box(pass(audio, 1.0)?);
    }
    if slow.fract() > 0.0 {
        std::hint::black_box(pass(audio, slow.fract())?);
    }
    pass(audio, 1.0)
}

/// The length of the audio as one stretch, without its content.
///
/// # Errors
/// As [`recognise`].
pub(super) fn measure(audio: &[u8]) -> Result<Recognition, String> {
    let duration_s = wav::decode(audio, 0.0)?.duration_s;
    let whole = Segment { start: 0.0, end: duration_s };
    Ok(Recognition { duration_s, segments: vec![whole], _samples: Vec::new(), _mel: Vec::new() })
}

/// One pass over the first `share` (0 to 1) of the audio.
fn pass(audio: &[u8], share: f64) -> Result<Recognition, String> {
    let pcm = wav::decode(audio, share)?;
    let mel = mel::log_mel(&pcm.samples, pcm.sample_rate_hz);
    let segments = speech::segments(&pcm.samples, pcm.sample_rate_hz);
    Ok(Recognition { duration_s: pcm.duration_s, segments, _samples: pcm.samples, _mel: mel })
}

#[cfg(test)]
pub(super) mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// A sine of `amplitude` at `frequency_hz`.
    pub(super) fn tone(frequency_hz: f64, seconds: f64, rate_hz: u32, amplitude: f32) -> Vec<f32> {
        let count = (seconds * f64::from(rate_hz)) as usize;
        (0..count)
            .map(|i| amplitude * (TAU * frequency_hz * i as f64 / f64::from(rate_hz)).sin() as f32)
            .collect()
    }

    #[test]
    fn slow_repeats_without_changing_the_result() {
        let mut samples = vec![0.0; 16_000];
        samples.extend(tone(440.0, 1.0, 16_000, 0.5));
        let wav = wav::tests::encode(&samples, 16_000, 1);
        let once = recognise(&wav, 1.0).unwrap();
        let often = recognise(&wav, 3.5).unwrap();
        assert_eq!(once.duration_s, 2.0);
        assert_eq!(once.segments, often.segments);
        assert_eq!(once.segments.len(), 1);
        assert_eq!(once._samples.len(), 32_000);
    }
}
