//! What happened lately, for `GET /logs`; it goes to the log as well.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// Most lines.
const LINES: usize = 1000;

/// The last lines.
#[derive(Debug, Default)]
pub(crate) struct Diary(Mutex<VecDeque<String>>);

impl Diary {
    pub(crate) fn info(&self, text: String) {
        tracing::info!("{text}");
        self.add("INFO", &text);
    }

    pub(crate) fn warn(&self, text: String) {
        tracing::warn!("{text}");
        self.add("WARN", &text);
    }

    pub(crate) fn error(&self, text: String) {
        tracing::error!("{text}");
        self.add("ERROR", &text);
    }

    fn add(&self, level: &str, text: &str) {
        let mut lines = self.0.lock();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(format!("{} {level} {text}", jiff::Timestamp::now()));
    }

    /// The lines, oldest first.
    pub(crate) fn text(&self) -> String {
        self.0.lock().iter().map(|line| format!("{line}\n")).collect()
    }
}
