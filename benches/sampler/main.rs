//! The cost of watching: highwater's sampler, a plain sysinfo refresh, and the floor below
//! which no reader of `/proc` can go, in one run; then what the whole sampler costs
//! at 1 Hz and at 100 Hz, and how soon it knows of an exit.
//!
//! `cargo bench --bench sampler` prints the tables that README quotes; after `--` the
//! names of parts (`reading`, `whole`, `exits`) leave out the others. Costs are CPU
//! time of the thread that does the work, so that other programs do not count.

#[cfg(target_os = "linux")]
mod children;
#[cfg(target_os = "linux")]
mod cost;
#[cfg(target_os = "linux")]
mod exits;
#[cfg(target_os = "linux")]
mod whole;

#[cfg(target_os = "linux")]
fn main() {
    children::allow_many_files();
    // Arguments that cargo passes to every bench are ignored.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|part| !part.starts_with('-')).collect();
    let parts: [(&str, fn()); 3] = [("reading", cost::tell), ("whole", whole::tell), ("exits", exits::tell)];
    for (name, tell) in parts {
        if wanted.is_empty() || wanted.iter().any(|part| part == name) {
            tell();
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the sampler's own reader exists on Linux only");
}
