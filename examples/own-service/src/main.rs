//! A small service: `POST /summarise` with `{"text": …}` answers `{"summary": …}`,
//! the sentence of the text that has most in common with all others.
//!
//! Its first line on stdout is its URL. With `KEEP_EVERYTHING` in its
//! environment it has a bug for the gate to find: it never lets go of what a
//! request has computed.

use std::net::Ipv4Addr;
use std::sync::Mutex;

use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Request {
    text: String,
}

#[derive(Serialize)]
struct Answer {
    summary: String,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let service = Router::new().route("/health", get(|| async {})).route("/summarise", post(summarise));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, service).await
}

async fn summarise(Json(request): Json<Request>) -> Json<Answer> {
    let summary = tokio::task::spawn_blocking(move || summary(&request.text));
    Json(Answer { summary: summary.await.expect("a summary cannot panic") })
}

/// The sentence that is most like all the others.
fn summary(text: &str) -> String {
    let sentences: Vec<&str> = text.split_inclusive(['.', '!', '?']).map(str::trim).collect();
    let words: Vec<u64> = sentences.iter().map(|sentence| words(sentence)).collect();
    // Every sentence against every sentence: this is where the memory of a request goes.
    let alike: Vec<f64> = words
        .iter()
        .flat_map(|one| words.iter().map(move |other| f64::from((one & other).count_ones())))
        .collect();
    let score = |sentence: usize| -> f64 { alike[sentence * words.len()..][..words.len()].iter().sum() };
    let best = (0..sentences.len()).max_by(|&a, &b| score(a).total_cmp(&score(b)));
    let summary = best.map_or(String::new(), |sentence| sentences[sentence].to_string());
    if std::env::var_os("KEEP_EVERYTHING").is_some() {
        // The bug: an unbounded cache that is never read.
        CACHE.lock().expect("no holder panics").push(alike);
    }
    summary
}

static CACHE: Mutex<Vec<Vec<f64>>> = Mutex::new(Vec::new());

/// The words of a sentence as a set of 64: a bit for each, by its letters.
fn words(sentence: &str) -> u64 {
    sentence.split_whitespace().fold(0, |set, word| {
        let letters = word.bytes().filter(u8::is_ascii_alphabetic);
        set | 1 << (letters.fold(0_u64, |hash, letter| hash * 31 + u64::from(letter | 32)) % 64)
    })
}
