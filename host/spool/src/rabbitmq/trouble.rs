//! What goes wrong with a broker, sorted by who can mend it.

use std::io;
use std::time::Duration;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

/// A fault, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) why: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may be over at the next try.
    Passing,
    /// Somebody must do something first.
    Operator,
    /// The broker's own limit is below ours; the message will never be taken.
    TooLarge,
    /// The broker refuses what it was asked for. It depends on the question who can mend that.
    Refused,
}

impl Trouble {
    pub(crate) fn soon(why: String) -> Self {
        Self { why, kind: Kind::Passing }
    }

    pub(crate) fn operator(why: String) -> Self {
        Self { why, kind: Kind::Operator }
    }

    pub(crate) fn silent(limit: Duration) -> Self {
        Self::soon(format!("no answer for {} ms", limit.as_millis()))
    }

    /// Puts what it is about before the reason.
    pub(crate) fn at(self, what: &str) -> Self {
        Self { why: format!("{what}: {}", self.why), kind: self.kind }
    }

    /// A queue that the broker does not want to be declared is there with other properties, or belongs to somebody.
    pub(crate) fn of_declaration(self) -> Self {
        let kind = if self.kind == Kind::Refused { Kind::Operator } else { self.kind };
        Self { kind, ..self }
    }

    pub(crate) fn of(error: &lapin::Error) -> Self {
        match error.kind() {
            ErrorKind::ProtocolError(refusal) => {
                let why = refusal.get_message().to_string();
                let kind = match refusal.kind() {
                    // The broker has no code of its own for this, only words.
                    AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED)
                        if why.contains("message size") =>
                    {
                        Kind::TooLarge
                    }
                    AMQPErrorKind::Soft(AMQPSoftError::CONTENTTOOLARGE) => Kind::TooLarge,
                    AMQPErrorKind::Soft(
                        AMQPSoftError::PRECONDITIONFAILED | AMQPSoftError::RESOURCELOCKED,
                    ) => Kind::Refused,
                    AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
                    | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Kind::Operator,
                    _ => Kind::Passing,
                };
                Self { why, kind }
            }
            ErrorKind::IOError(error) if is_tls(error) => Self::operator(format!("TLS: {error}")),
            ErrorKind::IOError(error) => Self::soon(error.to_string()),
            ErrorKind::AuthProviderError(_) => Self::operator("log-in not possible".to_owned()),
            _ => Self::soon(error.to_string()),
        }
    }
}

/// Whether TLS failed, and not what lies below it.
fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}
