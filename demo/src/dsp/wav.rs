//! Decodes WAV bytes into mono samples.

use hound::{SampleFormat, WavReader};

/// Decoded audio.
#[derive(Debug)]
pub(super) struct Pcm {
    /// Mono samples, -1 to 1.
    pub(super) samples: Vec<f32>,
    /// Samples per second.
    pub(super) sample_rate_hz: u32,
    /// Length of the whole file in seconds, even if only a share was decoded.
    pub(super) duration_s: f64,
}

/// Decodes the first `share` (0 to 1) of a mono or stereo WAV file; channels are averaged.
pub(super) fn decode(audio: &[u8], share: f64) -> Result<Pcm, String> {
    let cannot = |error: hound::Error| format!("cannot decode the audio as WAV: {error}");
    let mut reader = WavReader::new(audio).map_err(cannot)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels);
    if !(1..=2).contains(&channels) {
        return Err(format!("cannot decode the audio: {channels} channels, only mono and stereo are known"));
    }
    if spec.sample_rate == 0 || reader.duration() == 0 {
        return Err("cannot decode the audio: it holds no samples".to_string());
    }
    let duration_s = f64::from(reader.duration()) / f64::from(spec.sample_rate);
    let frames = (f64::from(reader.duration()) * share).round() as usize;
    let mut samples = Vec::with_capacity(frames);
    match spec.sample_format {
        SampleFormat::Float => {
            mix(reader.samples::<f32>().take(frames * channels), channels, 1.0, &mut samples)
        }
        SampleFormat::Int if spec.bits_per_sample == 16 => {
            mix(reader.samples::<i16>().take(frames * channels), channels, 1.0 / 32_768.0, &mut samples)
        }
        SampleFormat::Int => {
            let scale = 1.0 / (1_u64 << (spec.bits_per_sample - 1)) as f32;
            mix(reader.samples::<i32>().take(frames * channels), channels, scale, &mut samples)
        }
    }
    .map_err(cannot)?;
    Ok(Pcm { samples, sample_rate_hz: spec.sample_rate, duration_s })
}

/// A sample, as hound reads it.
trait Sample: Copy {
    fn to_f32(self) -> f32;
}

impl Sample for f32 {
    fn to_f32(self) -> f32 {
        self
    }
}

impl Sample for i16 {
    fn to_f32(self) -> f32 {
        f32::from(self)
    }
}

impl Sample for i32 {
    fn to_f32(self) -> f32 {
        self as f32
    }
}

fn mix<S: Sample>(
    values: impl Iterator<Item = hound::Result<S>>,
    channels: usize,
    scale: f32,
    samples: &mut Vec<f32>,
) -> hound::Result<()> {
    let mut left = None;
    for value in values {
        let value = value?.to_f32() * scale;
        if channels == 1 {
            samples.push(value);
        } else if let Some(left) = left.take() {
            samples.push(f32::midpoint(left, value));
        } else {
            left = Some(value);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use super::*;

    /// A 16-bit WAV whose channels are all equal.
    pub(in crate::dsp) fn encode(samples: &[f32], rate_hz: u32, channels: u16) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate_hz,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for &sample in samples {
            for _ in 0..channels {
                writer.write_sample((sample * 32_767.0) as i16).unwrap();
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn mono_and_stereo_decode_to_the_same_samples() {
        let samples = [0.0, 0.5, -0.5, 0.25];
        for channels in [1, 2] {
            let pcm = decode(&encode(&samples, 8_000, channels), 1.0).unwrap();
            assert_eq!(pcm.sample_rate_hz, 8_000);
            assert_eq!(pcm.duration_s, 4.0 / 8_000.0);
            for (decoded, sample) in pcm.samples.iter().zip(samples) {
                assert!((decoded - sample).abs() < 1e-3, "{decoded} for {sample}");
            }
        }
    }

    #[test]
    fn a_share_is_decoded_but_the_duration_is_the_files() {
        let pcm = decode(&encode(&[0.1; 1000], 1_000, 2), 0.25).unwrap();
        assert_eq!((pcm.samples.len(), pcm.duration_s), (250, 1.0));
    }

    #[test]
    fn float_samples_are_known() {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        writer.write_sample(0.75_f32).unwrap();
        writer.finalize().unwrap();
        assert_eq!(decode(&bytes.into_inner(), 1.0).unwrap().samples, [0.75]);
    }

    #[test]
    fn what_is_no_wav_is_said_to_be_none() {
        for bytes in [&b""[..], b"ID3 this is an MP3", b"RIFF\x04\0\0\0WAVE"] {
            let error = decode(bytes, 1.0).unwrap_err();
            assert!(error.starts_with("cannot decode the audio"), "{error}");
        }
        assert!(decode(&encode(&[], 8_000, 1), 1.0).unwrap_err().contains("no samples"));
    }

    #[test]
    fn a_torn_file_is_an_error() {
        let whole = encode(&[0.1; 1000], 8_000, 1);
        assert!(decode(&whole[..whole.len() - 500], 1.0).is_err());
    }
}
