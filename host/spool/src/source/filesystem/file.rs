//! One spool file, read message by message, however large it is.
//!
//! Which form it has is told by its first bytes. While a file may still grow, what its end holds is not a message
//! before its newline is there, or before its frame is whole; such a part is read anew each time, because a writer that
//! comes back after a crash cuts its half line off, and what it puts there may be as long. A file that is followed by another is
//! finished: what its end holds is a message, whole or not, and whoever reads it will tell.
//!
//! Damage between frames is given out as a message of its own, up to the next magic: it cannot be read, so whoever
//! handles the messages keeps it with what else cannot be read, and nothing vanishes unsaid.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use record::wire::binary::{self, Begins};

use super::super::Form;

/// How many bytes are read at a time, at least.
const BLOCK: usize = 64 << 10;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct SpoolFile {
    file: File,
    form: Option<Form>,
    /// Where the next message begins.
    at: u64,
    /// What was read, from `at` on behind the first `head` bytes.
    buffer: Vec<u8>,
    head: usize,
    /// How much of what lies there has been searched for the end of the message.
    searched: usize,
}

/// What comes next in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A message, and where the one behind it begins.
    Message { form: Form, body: Vec<u8>, end: u64 },
    /// No more, so far.
    Wait,
    /// No more. Only of a finished file.
    End,
    /// A message that is larger than any may be.
    TooLarge { at: u64 },
    /// The file is shorter than what was read of it.
    Cut,
}

impl SpoolFile {
    pub(super) fn new(file: File, at: u64) -> Self {
        Self { file, form: None, at, buffer: Vec::new(), head: 0, searched: 0 }
    }

    /// What tells this file from another of the same name.
    pub(super) fn identity(&self) -> io::Result<(u64, u64)> {
        self.file.metadata().map(|data| (data.dev(), data.ino()))
    }

    /// Reads from this place on.
    pub(super) fn go_to(&mut self, at: u64) {
        self.buffer.clear();
        (self.at, self.head, self.searched) = (at, 0, 0);
    }

    /// Whether somebody removed the file.
    pub(super) fn is_removed(&self) -> io::Result<bool> {
        self.file.metadata().map(|data| data.nlink() == 0)
    }

    /// Whether a message may begin at this place: one that was written down may belong to an older file.
    pub(super) fn may_begin_at(&mut self, at: u64) -> io::Result<bool> {
        if at == 0 {
            return Ok(true);
        }
        let length = self.file.metadata()?.len();
        if at > length {
            return Ok(false);
        }
        Ok(match self.find_form()? {
            None => false,
            Some(Form::Json) => {
                let mut before = [0];
                self.file.read_exact_at(&mut before, at - 1)?;
                before == *b"\n" || at == length
            }
            Some(Form::Binary) => {
                let mut first = [0; 4];
                let count = self.file.read_at(&mut first, at)?;
                let begins = binary::begins(&first[..count]);
                at == length || matches!(begins, Begins::Part(_) | Begins::End)
            }
        })
    }

    /// The next message of `max` bytes at most. `finished` says that the file grows no more.
    pub(super) fn next(&mut self, max: usize, finished: bool) -> io::Result<Next> {
        let length = self.file.metadata()?.len();
        if length < self.at {
            return Ok(Next::Cut);
        }
        let next = match self.find_form()? {
            Some(Form::Json) => self.next_line(max, finished)?,
            Some(Form::Binary) => self.next_frame(max, finished)?,
            None if finished && length == 0 => Next::End,
            // A file too short to tell, and finished, can only be a line.
            None if finished => self.next_line(max, finished)?,
            None => Next::Wait,
        };
        if matches!(next, Next::Wait | Next::TooLarge { .. }) {
            // It may be another text when it is looked at again.
            self.buffer = Vec::new();
            self.head = 0;
            self.searched = 0;
        }
        Ok(next)
    }

    fn find_form(&mut self) -> io::Result<Option<Form>> {
        if self.form.is_none() {
            let mut first = [0; 4];
            let count = self.file.read_at(&mut first, 0)?;
            self.form = match &first[..count] {
                bytes if *bytes == binary::MAGIC || *bytes == binary::END => Some(Form::Binary),
                bytes
                    if [binary::MAGIC, binary::END].iter().any(|mark| mark.starts_with(bytes)) =>
                {
                    None
                }
                _other => Some(Form::Json),
            };
        }
        Ok(self.form)
    }

    fn next_line(&mut self, max: usize, finished: bool) -> io::Result<Next> {
        loop {
            let have = self.unread().len();
            let newline = self.unread()[self.searched..].iter().position(|&byte| byte == b'\n');
            let (text, taken) = match newline.map(|at| self.searched + at) {
                Some(at) => (at, at + 1),
                None if have > max => return Ok(Next::TooLarge { at: self.at }),
                None => {
                    self.searched = have;
                    if self.read_more()? {
                        continue;
                    }
                    match (finished, have) {
                        (false, _) => return Ok(Next::Wait),
                        (true, 0) => return Ok(Next::End),
                        (true, _) => (have, have),
                    }
                }
            };
            if text > max {
                return Ok(Next::TooLarge { at: self.at });
            }
            let body = self.unread()[..text].trim_ascii().to_vec();
            self.pass(taken);
            if !body.is_empty() {
                return Ok(Next::Message { form: Form::Json, body, end: self.at });
            }
        }
    }

    fn next_frame(&mut self, max: usize, finished: bool) -> io::Result<Next> {
        loop {
            let have = self.unread().len();
            match binary::begins(self.unread()) {
                Begins::Frame(length) if length > max => return Ok(Next::TooLarge { at: self.at }),
                Begins::Frame(length) => return Ok(self.give(length)),
                Begins::End => self.pass(binary::END.len()),
                Begins::Part(length) if length > max && self.is_followed(length)? => {
                    return Ok(Next::TooLarge { at: self.at });
                }
                // Its writer may have died, and another gone on behind it.
                Begins::Part(length) if length <= max => match self.frame_behind() {
                    Some(next) => return Ok(self.give_damage(next)),
                    None if self.read_more()? => {}
                    None if !finished => return Ok(Next::Wait),
                    None if have == 0 => return Ok(Next::End),
                    None => return Ok(self.give_damage(have)),
                },
                Begins::Part(_) | Begins::Damage(_) => match binary::find(self.unread(), 1) {
                    Some(next) => return Ok(self.give_damage(next)),
                    None if have > max => return Ok(self.give_damage(max)),
                    None if self.read_more()? => {}
                    None if !finished => return Ok(Next::Wait),
                    None => return Ok(self.give_damage(have)),
                },
            }
        }
    }

    /// Where the next whole frame begins within the record of one that is not whole.
    fn frame_behind(&self) -> Option<usize> {
        let unread = self.unread();
        let next = binary::find(unread, binary::FRAME_HEADER)?;
        matches!(binary::begins(&unread[next..]), Begins::Frame(_)).then_some(next)
    }

    /// Whether a frame of this length would end where the file does, or where another begins.
    fn is_followed(&self, length: usize) -> io::Result<bool> {
        let mut first = [0; 4];
        let end = self.at + length as u64;
        let count = self.file.read_at(&mut first, end)?;
        let at_end = count == 0 && self.file.metadata()?.len() == end;
        Ok(at_end || [binary::MAGIC, binary::END].contains(&first))
    }

    fn give_damage(&mut self, length: usize) -> Next {
        tracing::warn!(
            bytes = length,
            at = self.at,
            "Spool file is damaged; going on with the next frame"
        );
        self.give(length)
    }

    fn give(&mut self, length: usize) -> Next {
        let body = self.unread()[..length].to_vec();
        self.pass(length);
        Next::Message { form: Form::Binary, body, end: self.at }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.head..]
    }

    fn pass(&mut self, length: usize) {
        self.head += length;
        self.at += length as u64;
        self.searched = 0;
    }

    /// Reads on. False at the end of the file.
    fn read_more(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.head);
        self.head = 0;
        let have = self.buffer.len();
        // Twice as much each time, so that a large message is not gathered in small steps.
        self.buffer.shrink_to(2 * BLOCK.max(have));
        self.buffer.resize(have + BLOCK.max(have), 0);
        let read = self.file.read_at(&mut self.buffer[have..], self.at + have as u64);
        self.buffer.truncate(have + read.as_ref().map_or(0, |count| *count));
        Ok(read? > 0)
    }
}
