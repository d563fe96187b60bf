//! Taking the address: a Unix socket that only its owner opens, or a port of this machine.
//!
//! # A socket's life
//!
//! A lock beside the socket (`PATH.lock`, which stays) says who listens, so that two gateways never take one path, and a
//! socket that a killed one left is known for what it is and replaced. The socket gets its mode before it takes connections.

use std::{
    fs::{self, File, OpenOptions},
    io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;
use tokio::net::{TcpListener, UnixListener, UnixSocket};

use crate::settings::{AdminSettings, Listen};

/// Connections that wait in the kernel's queue.
const BACKLOG: u32 = 64;
/// Only the owner talks to the socket.
const SOCKET_MODE: u32 = 0o600;
/// Group and others write.
const FOREIGN_WRITE: u32 = 0o022;
const ROOT: u32 = 0;

/// An address that is taken. Dropped, a socket's file goes.
#[derive(Debug)]
pub struct Listener {
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Unix(UnixListener, SocketFile),
    Tcp(TcpListener, SocketAddr),
}

/// The socket's file and the lock that says that it is ours.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    _lock: File,
}

/// Why an address is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Anybody on this machine could change everything.
    #[error(
        "admin.listen is a port, which every user of this machine reaches: it needs admin.tokens, or give unix:PATH instead"
    )]
    NoTokens,
    /// Others could put a socket of their own in its place.
    #[error("the folder {} of the admin socket must belong to this user (or root) and be writable by nobody else: take the permission away, as by chmod go-w", .0.display())]
    Folder(PathBuf),
    /// Another process listens there.
    #[error("another process listens on {}", .0.display())]
    Taken(PathBuf),
    /// Something lies there that is no socket.
    #[error("{} is there and is no socket: remove it, or give another path", .0.display())]
    NoSocket(PathBuf),
    /// The operating system does not give it.
    #[error("listen on {address}")]
    Os {
        /// The address.
        address: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Listener {
    /// Takes the address of the settings. Needs a runtime.
    ///
    /// # Errors
    ///
    /// When it is taken, or open to others.
    pub async fn bind(settings: &AdminSettings) -> Result<Self, BindError> {
        let os = |source| BindError::Os { address: settings.listen.to_string(), source };
        let kind = match &settings.listen {
            Listen::Loopback(_) if settings.tokens.is_empty() => return Err(BindError::NoTokens),
            Listen::Loopback(address) => {
                let listener = TcpListener::bind(address).await.map_err(os)?;
                let address = listener.local_addr().map_err(os)?;
                Kind::Tcp(listener, address)
            }
            Listen::Unix(path) => {
                let file = SocketFile::clear(path, os)?;
                let bound = UnixSocket::new_stream().and_then(|socket| {
                    socket.bind(path)?;
                    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
                    socket.listen(BACKLOG)
                });
                Kind::Unix(bound.map_err(os)?, file)
            }
        };
        Ok(Self { kind })
    }

    /// Where it listens, as a client gives it: the port is the real one.
    #[must_use]
    pub fn address(&self) -> Listen {
        match &self.kind {
            Kind::Unix(_, file) => Listen::Unix(file.path.clone()),
            Kind::Tcp(_, address) => Listen::Loopback(*address),
        }
    }
}

impl SocketFile {
    /// Makes sure that nobody else listens on this path, and that nothing lies there.
    fn clear(path: &Path, os: impl Fn(io::Error) -> BindError) -> Result<Self, BindError> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let about = fs::metadata(folder).map_err(&os)?;
        let ours = [ROOT, rustix::process::geteuid().as_raw()].contains(&about.uid());
        if !ours || about.mode() & FOREIGN_WRITE != 0 {
            return Err(BindError::Folder(folder.to_owned()));
        }
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(SOCKET_MODE)
            .open(lock);
        let lock = lock.map_err(&os)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(BindError::Taken(path.to_owned())),
            Err(error) => return Err(os(error.into())),
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(BindError::NoSocket(path.to_owned()));
            }
            // Nobody of ours listens on it. A program of another kind that does is not pushed aside.
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
                return Err(BindError::Taken(path.to_owned()));
            }
            Ok(_) => fs::remove_file(path).map_err(&os)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(os(error)),
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that cannot be removed is replaced at the next start.
        drop(fs::remove_file(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Tokens;

    fn settings(path: &Path) -> AdminSettings {
        AdminSettings::new(Listen::Unix(path.to_owned()), Tokens::default())
    }

    #[tokio::test]
    async fn a_socket_is_its_owners_alone_and_goes_with_its_handle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("outpost.sock");
        let listener = Listener::bind(&settings(&path)).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, SOCKET_MODE);
        let second = Listener::bind(&settings(&path)).await.unwrap_err();
        assert!(matches!(second, BindError::Taken(_)), "{second}");
        assert!(path.exists());
        drop(listener);
        assert!(!path.exists());
        Listener::bind(&settings(&path)).await.unwrap();
    }

    #[tokio::test]
    async fn a_socket_that_was_left_is_replaced_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("outpost.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(Listener::bind(&settings(&path)).await.unwrap());

        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = Listener::bind(&settings(&path)).await.unwrap_err();
        assert!(matches!(error, BindError::Taken(_)), "{error}");
        drop(other);

        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        let error = Listener::bind(&settings(&path)).await.unwrap_err();
        assert!(matches!(error, BindError::NoSocket(_)), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    }

    #[tokio::test]
    async fn a_folder_that_others_write_to_holds_no_socket() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, fits) in [(0o755, true), (0o775, false), (0o757, false), (0o1777, false)] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            let bound = Listener::bind(&settings(&dir.path().join("outpost.sock"))).await;
            match bound {
                Ok(_) => assert!(fits, "{mode:o}"),
                Err(error) => {
                    assert!(!fits && matches!(error, BindError::Folder(_)), "{mode:o}: {error}")
                }
            }
        }
    }

    #[tokio::test]
    async fn a_port_needs_tokens() {
        let settings = AdminSettings::new("127.0.0.1:0".parse().unwrap(), Tokens::default());
        assert!(matches!(Listener::bind(&settings).await, Err(BindError::NoTokens)));
    }
}
