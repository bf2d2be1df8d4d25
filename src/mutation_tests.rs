//! Whatever bytes a reader is given, it ends without a panic: small files, changed in thousands of ways.
//!
//! The changes are the same in each run. `HIGHWATER_MUTATIONS` says how many there are for each reader.

/// Changes for each reader, unless the environment says otherwise: a moment's work in a debug build.
const CASES: u32 = 3000;

/// Pieces that readers stumble over.
const PIECES: [&[u8]; 14] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"\\u",
    b"{",
    b"[[[[[[[[",
    b",",
    b"-",
    b"99999999999999999999999999",
    b"1e999",
    b"NaN",
    b"\xff\xfe",
    "\u{202e}\u{e0001}é".as_bytes(),
];

/// xorshift64*: G. Marsaglia, "Xorshift RNGs", 2003.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % most.max(1)
    }
}

/// Calls `read` with each text of `corpus`, and with changed ones.
pub(crate) fn survives(corpus: &[&[u8]], mut read: impl FnMut(&[u8])) {
    corpus.iter().for_each(|text| read(text));
    let cases =
        std::env::var("HIGHWATER_MUTATIONS").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..cases {
        let mut text = corpus[random.below(corpus.len())].to_vec();
        for _ in 0..=random.below(4) {
            change(&mut text, corpus, &mut random);
        }
        read(&text);
    }
}

fn change(text: &mut Vec<u8>, corpus: &[&[u8]], random: &mut Random) {
    let at = random.below(text.len() + 1);
    let to = (at + random.below(40)).min(text.len());
    match random.below(7) {
        0 => text.truncate(at),
        1 => drop(text.drain(at..to)),
        2 => {
            let again = text[at..to].repeat(1 + random.below(50));
            drop(text.splice(at..at, again));
        }
        3 => {
            let piece = PIECES[random.below(PIECES.len())];
            drop(text.splice(at..at, piece.iter().copied()));
        }
        4 => {
            let other = corpus[random.below(corpus.len())];
            text.truncate(at);
            text.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        _ => {
            if let Some(byte) = text.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}
