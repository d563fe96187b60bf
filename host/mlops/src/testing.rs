//! A database for a test: a file, or one of a PostgreSQL server that all tests of this process share.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// Where Debian has what a server is started with, in a folder for each version; it is on no PATH.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Starts a server in the folder $1, and stops it when standard input ends, however this process does. A server does
/// not start for root.
const SCRIPT: &str = r#"
trap '' INT HUP TERM
folder=$1; programs=$2
as=
if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; as='setpriv --reuid postgres --regid postgres --clear-groups'; fi
cd "$folder" || exit 1
$as "$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --no-sync > "$folder/log" 2>&1 || { cat "$folder/log" >&2; rm -rf "$folder"; exit 1; }
$as "$programs/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w -t 120 \
    -o "-c listen_addresses= -c unix_socket_directories=$folder -c fsync=off -c max_connections=300" start > /dev/null || { cat "$folder/server.log" >&2; rm -rf "$folder"; exit 1; }
echo ready
read -r _
$as "$programs/pg_ctl" -D "$folder/data" -m immediate stop > /dev/null 2>&1
rm -rf "$folder"
"#;

/// Makes a test of a body for each database; `World::new` makes of one what the body gets.
macro_rules! on_both {
    ($name:ident, $body:expr) => {
        mod $name {
            use super::*;
            use crate::testing::Database;

            #[tokio::test]
            async fn sqlite() {
                let body = $body;
                body(World::new(Database::sqlite()).await).await;
            }
            #[tokio::test]
            async fn postgres() {
                let body = $body;
                if let Some(database) = Database::postgres() {
                    body(World::new(database).await).await;
                }
            }
        }
    };
}
pub(crate) use on_both;

/// A database.
pub(crate) struct Database {
    address: String,
    folder: Option<TempDir>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", folder.path().join("mlops.db").display());
        Self { address, folder: Some(folder) }
    }

    /// None, loudly, where there is no server to be had.
    pub(crate) fn postgres() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Some(server) = Server::shared() else {
            let why = format!(
                "SKIPPED: no PostgreSQL in {VERSIONS}; tests/setup/debian.sh test installs it"
            );
            assert!(std::env::var("CI").is_err(), "{why}");
            println!("{why}");
            return None;
        };
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        server.create(&name);
        let address = format!("postgres:///{name}?host={}&user=postgres", server.folder);
        Some(Self { address, folder: None })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The folder of a file.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(TempDir::path)
    }
}

struct Server {
    folder: String,
    programs: PathBuf,
    /// Its standard input keeps the server.
    _shell: Child,
}

impl Server {
    fn shared() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        SERVER.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let versions = std::fs::read_dir(VERSIONS).ok()?.filter_map(Result::ok);
        let programs = versions.map(|version| version.path().join("bin"));
        let programs = programs.filter(|programs| programs.join("initdb").exists()).max()?;
        let folder = tempfile::tempdir().unwrap().keep();
        let folder = folder.to_str().unwrap().to_owned();
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", SCRIPT, "postgres", &folder]).arg(&programs);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "PostgreSQL starts");
        Some(Self { folder, programs, _shell: shell })
    }

    fn create(&self, name: &str) {
        let program = self.programs.join("createdb");
        let made =
            Command::new(program).args(["-h", &self.folder, "-U", "postgres", name]).status();
        assert!(made.unwrap().success(), "a database is made");
    }
}
