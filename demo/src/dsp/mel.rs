//! The log-mel spectrogram: 80 bands, 25 ms Hann windows, every 10 ms.

use std::f64::consts::TAU;

use realfft::RealFftPlanner;

/// Number of mel bands.
pub(super) const BANDS: usize = 80;

/// The least power, so that the logarithm exists.
const FLOOR: f32 = 1e-10;

/// The base-10 logarithm of each band's power, frame after frame, 80 values a
/// frame. Audio shorter than one window gives no frame.
pub(super) fn log_mel(samples: &[f32], rate_hz: u32) -> Vec<f32> {
    let window_len = (rate_hz as usize / 40).max(2);
    let hop = (rate_hz as usize / 100).max(1);
    if samples.len() < window_len {
        return Vec::new();
    }
    // Padded so that two bins are at most 16 Hz apart: the lowest of 80 bands
    // is some 20 Hz wide, and none may fall between the bins.
    let fft_len = (rate_hz as usize / 16).max(window_len).next_power_of_two();
    let fft = RealFftPlanner::<f32>::new().plan_fft_forward(fft_len);
    let window: Vec<f32> =
        (0..window_len).map(|i| (0.5 - 0.5 * (TAU * i as f64 / window_len as f64).cos()) as f32).collect();
    let filters = filters(fft_len, rate_hz);
    let mut input = fft.make_input_vec();
    let mut spectrum = fft.make_output_vec();
    let mut scratch = fft.make_scratch_vec();
    let mut power = vec![0.0; spectrum.len()];
    let frames = (samples.len() - window_len) / hop + 1;
    let mut mel = Vec::with_capacity(frames * BANDS);
    for frame in samples.windows(window_len).step_by(hop) {
        input.fill(0.0);
        for ((slot, sample), weight) in input.iter_mut().zip(frame).zip(&window) {
            *slot = sample * weight;
        }
        fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch)
            .expect("the buffers were made by this plan");
        for (power, bin) in power.iter_mut().zip(&spectrum) {
            *power = bin.norm_sqr();
        }
        for filter in &filters {
            let bins = &power[filter.first..filter.first + filter.weights.len()];
            let sum: f32 = bins.iter().zip(&filter.weights).map(|(power, weight)| power * weight).sum();
            mel.push(sum.max(FLOOR).log10());
        }
    }
    mel
}

/// One band: a triangle over some neighbouring bins.
struct Filter {
    first: usize,
    weights: Vec<f32>,
}

/// Triangles whose corners are equally spaced on the mel scale from 0 Hz to half the sample rate.
fn filters(fft_len: usize, rate_hz: u32) -> Vec<Filter> {
    let top = to_mel(f64::from(rate_hz) / 2.0);
    let corner = |i: usize| to_hz(top * i as f64 / (BANDS + 1) as f64);
    let bin_hz = f64::from(rate_hz) / fft_len as f64;
    (0..BANDS)
        .map(|band| {
            let (low, middle, high) = (corner(band), corner(band + 1), corner(band + 2));
            let first = (low / bin_hz).ceil() as usize;
            let last = ((high / bin_hz).floor() as usize).min(fft_len / 2);
            let weights = (first..=last)
                .map(|bin| {
                    let hz = bin as f64 * bin_hz;
                    ((hz - low) / (middle - low)).min((high - hz) / (high - middle)).max(0.0) as f32
                })
                .collect();
            Filter { first, weights }
        })
        .collect()
}

/// The mel scale, in O'Shaughnessy's form (Speech Communication, 1987).
fn to_mel(hz: f64) -> f64 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

fn to_hz(mel: f64) -> f64 {
    700.0 * (10_f64.powf(mel / 2595.0) - 1.0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::tests::tone;
    use super::*;

    #[rstest]
    #[case(200.0, 16_000)]
    #[case(440.0, 16_000)]
    #[case(3000.0, 16_000)]
    #[case(440.0, 8_000)]
    #[case(440.0, 44_100)]
    fn a_tone_is_loudest_in_the_band_around_its_frequency(#[case] hz: f64, #[case] rate_hz: u32) {
        let mel = log_mel(&tone(hz, 0.5, rate_hz, 0.5), rate_hz);
        let spacing = to_mel(f64::from(rate_hz) / 2.0) / (BANDS + 1) as f64;
        let expected = to_mel(hz) / spacing - 1.0;
        for frame in mel.chunks(BANDS) {
            let loudest = (0..BANDS).max_by(|&a, &b| frame[a].total_cmp(&frame[b])).unwrap();
            assert!((loudest as f64 - expected).abs() <= 1.0, "band {loudest}, expected {expected:.1}");
        }
    }

    #[test]
    fn there_is_a_frame_every_10_ms() {
        let mel = log_mel(&tone(440.0, 1.0, 16_000, 0.5), 16_000);
        // The last of the 98 windows begins at 970 ms and ends at 995 ms.
        assert_eq!(mel.len(), 98 * BANDS);
    }

    #[test]
    fn silence_is_at_the_floor_and_a_blink_has_no_frame() {
        assert!(log_mel(&[0.0; 800], 16_000).iter().all(|&value| value == FLOOR.log10()));
        assert!(log_mel(&[0.0; 100], 16_000).is_empty());
    }

    #[rstest]
    fn no_band_is_empty(#[values(8_000, 11_025, 16_000, 22_050, 44_100, 48_000)] rate_hz: u32) {
        let window_len = rate_hz as usize / 40;
        let fft_len = (rate_hz as usize / 16).max(window_len).next_power_of_two();
        for filter in filters(fft_len, rate_hz) {
            assert!(filter.weights.iter().any(|&weight| weight > 0.0));
        }
    }
}
