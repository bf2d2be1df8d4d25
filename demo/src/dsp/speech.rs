//! Finds speech: stretches of energy above a threshold that adapts to the recording.

use crate::wire::Segment;

/// The rate at which energy is measured, in frames per second.
const FRAMES_PER_S: usize = 100;

/// The least level of speech, in dB of full scale.
const QUIETEST_DB: f32 = -50.0;

/// A recording whose loudest and quietest parts differ by less has no
/// background to separate speech from; then only [`QUIETEST_DB`] decides.
const LEAST_SPREAD_DB: f32 = 6.0;

/// The number of frames for which speech continues after the energy has fallen: pauses
/// between words and fading vowels belong to it.
const HANGOVER: usize = 20;

/// The least number of loud frames in a stretch; fewer are a click, not speech.
const LEAST_LOUD: usize = 5;

/// The stretches of speech in the samples, in order.
pub(super) fn segments(samples: &[f32], rate_hz: u32) -> Vec<Segment> {
    let frame = (rate_hz as usize / FRAMES_PER_S).max(1);
    let levels: Vec<f32> = samples.chunks(frame).map(level_db).collect();
    let threshold = threshold_db(&levels);
    let seconds = |frames: usize| (frames * frame).min(samples.len()) as f64 / f64::from(rate_hz);
    let mut segments = Vec::new();
    // The current stretch: its first frame, its last loud frame, and the number of loud frames.
    let mut stretch: Option<(usize, usize, usize)> = None;
    let mut close = |(first, last, loud): (usize, usize, usize)| {
        if loud >= LEAST_LOUD {
            segments.push(Segment { start: seconds(first), end: seconds(last + 1 + HANGOVER) });
        }
    };
    for (i, &level) in levels.iter().enumerate() {
        if level > threshold {
            let (first, _, loud) = stretch.unwrap_or((i, i, 0));
            stretch = Some((first, i, loud + 1));
        } else if let Some(ended) = stretch
            && i - ended.1 > HANGOVER
        {
            close(ended);
            stretch = None;
        }
    }
    if let Some(ended) = stretch {
        close(ended);
    }
    segments
}

/// The level of a frame in dB of full scale, at least -100.
fn level_db(frame: &[f32]) -> f32 {
    let power = frame.iter().map(|sample| sample * sample).sum::<f32>() / frame.len() as f32;
    10.0 * power.max(1e-10).log10()
}

/// A third of the way from the background (the 10th percentile) to the loudest frame.
fn threshold_db(levels: &[f32]) -> f32 {
    let mut sorted = levels.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let (Some(&background), Some(&loudest)) = (sorted.get(sorted.len() / 10), sorted.last()) else {
        return QUIETEST_DB;
    };
    let spread = loudest - background;
    if spread < LEAST_SPREAD_DB { QUIETEST_DB } else { (background + spread / 3.0).max(QUIETEST_DB) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::tone;
    use super::*;

    const RATE: u32 = 16_000;

    fn silence(seconds: f64) -> Vec<f32> {
        vec![0.0; (seconds * f64::from(RATE)) as usize]
    }

    #[test]
    fn a_tone_between_silences_is_one_segment_with_its_hangover() {
        let audio = [silence(1.0), tone(300.0, 2.0, RATE, 0.3), silence(1.0)].concat();
        assert_eq!(segments(&audio, RATE), [Segment { start: 1.0, end: 3.2 }]);
    }

    #[test]
    fn a_short_pause_does_not_split_and_a_long_one_does() {
        let word = || tone(300.0, 0.5, RATE, 0.3);
        let short = [word(), silence(0.15), word(), silence(1.0)].concat();
        assert_eq!(segments(&short, RATE).len(), 1);
        let long = [word(), silence(0.5), word(), silence(1.0)].concat();
        assert_eq!(segments(&long, RATE).len(), 2);
    }

    #[test]
    fn silence_and_clicks_are_no_speech() {
        assert!(segments(&[], RATE).is_empty());
        assert!(segments(&silence(2.0), RATE).is_empty());
        let click = [silence(1.0), tone(300.0, 0.02, RATE, 0.9), silence(1.0)].concat();
        assert!(segments(&click, RATE).is_empty());
    }

    #[test]
    fn speech_to_the_very_end_ends_with_the_audio() {
        assert_eq!(segments(&tone(300.0, 1.0, RATE, 0.3), RATE), [Segment { start: 0.0, end: 1.0 }]);
    }

    #[test]
    fn the_threshold_rises_with_the_background() {
        // A hum 20 dB below the voice, but well above the absolute threshold.
        let hum = |seconds| tone(100.0, seconds, RATE, 0.03);
        let audio = [hum(1.0), tone(300.0, 1.0, RATE, 0.3), hum(1.0)].concat();
        let found = segments(&audio, RATE);
        assert_eq!(found.len(), 1);
        assert!((found[0].start - 1.0).abs() < 0.02, "{found:?}");
    }
}
