//! Where the room listens, and its limits.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use crate::tokens::Tokens;

/// How an address of a Unix socket begins.
const UNIX: &str = "unix:";
const HTTP: &str = "http://";

/// Where the room listens, who may come, and how much of everything.
#[derive(Clone, Debug)]
pub struct AdminSettings {
    /// Where it listens.
    pub listen: Listen,
    /// Who may come. Without tokens only the socket's owner and root may, and nobody by TCP.
    pub tokens: Tokens,
    /// Connections open at once; more wait in the kernel's queue.
    pub connections: usize,
    /// A request's head, and a quiet connection.
    pub header_time: Duration,
    /// Bytes of a request's head; 431 above.
    pub header_bytes: usize,
    /// A request's body, as a whole; 408 after.
    pub body_time: Duration,
    /// A client that takes no byte of its answer for this long is gone.
    pub write_stall_time: Duration,
    /// Bytes of a package; 413 above.
    pub package_bytes: usize,
    /// Packages being received or loaded at once; 503 above.
    pub uploads: usize,
    /// For requests to finish when it is told to stop.
    pub grace: Duration,
}

/// Where the room listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A port that only this machine reaches.
    Loopback(SocketAddr),
}

/// An address that the room does not listen on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ListenError {
    /// It is neither form.
    #[error(
        "`{0}` is no address: give unix:PATH, or an address and a port of this machine such as 127.0.0.1:9092"
    )]
    Form(String),
    /// Other machines could come.
    #[error(
        "{0} can be reached from other machines, and this listener speaks plain HTTP: give unix:PATH or 127.0.0.1:PORT, and \
         come from elsewhere through ssh -L"
    )]
    Reachable(SocketAddr),
}

impl AdminSettings {
    /// The default limits.
    #[must_use]
    pub fn new(listen: Listen, tokens: Tokens) -> Self {
        Self {
            listen,
            tokens,
            connections: 16,
            header_time: Duration::from_secs(10),
            header_bytes: 16 << 10,
            body_time: Duration::from_secs(60),
            write_stall_time: Duration::from_secs(30),
            package_bytes: 64 << 20,
            uploads: 2,
            grace: Duration::from_secs(5),
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let form = || ListenError::Form(text.to_owned());
        // As it is announced.
        let text = text.strip_prefix(HTTP).unwrap_or(text);
        if let Some(path) = text.strip_prefix(UNIX) {
            return if path.is_empty() { Err(form()) } else { Ok(Self::Unix(path.into())) };
        }
        let address = match text.strip_prefix("localhost:") {
            Some(port) => {
                (IpAddr::from(Ipv4Addr::LOCALHOST), port.parse().map_err(|_| form())?).into()
            }
            None => text.parse::<SocketAddr>().map_err(|_| form())?,
        };
        if address.ip().is_loopback() {
            Ok(Self::Loopback(address))
        } else {
            Err(ListenError::Reachable(address))
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
            Self::Loopback(address) => write!(f, "{HTTP}{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_can_be_listened_to() {
        assert_eq!("unix:a/b.sock".parse(), Ok(Listen::Unix("a/b.sock".into())));
        for (text, address) in [
            ("127.0.0.1:9092", "127.0.0.1:9092"),
            ("127.3.2.1:0", "127.3.2.1:0"),
            ("[::1]:9092", "[::1]:9092"),
            ("localhost:9092", "127.0.0.1:9092"),
            ("http://127.0.0.1:9092", "127.0.0.1:9092"),
        ] {
            assert_eq!(text.parse(), Ok(Listen::Loopback(address.parse().unwrap())), "{text}");
        }
        for text in ["0.0.0.0:9092", "[::]:9092", "192.168.1.2:9092", "[::ffff:10.0.0.1]:9092"] {
            let error = text.parse::<Listen>().unwrap_err();
            assert!(matches!(error, ListenError::Reachable(_)), "{text}: {error}");
        }
        for text in ["", "unix:", "9092", "127.0.0.1", "localhost", "localhost:x", "gateway:9092"] {
            assert_eq!(text.parse::<Listen>(), Err(ListenError::Form(text.into())));
        }
    }
}
