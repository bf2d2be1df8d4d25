//! A terminal without the feature `cli`: its lines stay, without colour.

/// The line at the bottom, which is not shown.
pub(super) struct Bar;

impl Bar {
    pub(super) fn new() -> Bar {
        Bar
    }

    pub(super) fn show(&self, _done: u64, _total: Option<u64>, _message: &str) {}

    pub(super) fn suspend(&self, write: impl FnOnce()) {
        write();
    }

    pub(super) fn clear(self) {}
}

pub(super) fn paint(line: &str) -> String {
    line.to_string()
}
