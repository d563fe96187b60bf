//! A gateway with operators: where it listens for them, and the commands that they give.

use crate::binary::{Outpost, Run, text};
use crate::client::Client;
use crate::gateway::{Gateway, Serve};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const ANNOUNCEMENT: &str = "operators on ";
/// The scopes of tokens, which are their names too.
pub const SCOPES: [&str; 3] = ["read", "deploy", "admin"];

/// A gateway with operators. It serves the README's model as `diabetes`.
#[derive(Debug)]
pub struct Operated {
    /// The gateway.
    pub gateway: Gateway,
    address: String,
    folder: TempDir,
}

impl Operated {
    /// Operators come by a socket, without tokens.
    pub fn on_socket(more: impl FnOnce(Serve) -> Serve) -> Self {
        Self::serving(Outpost::ridge(), more)
    }

    /// The same with another package.
    pub fn serving(package: &Path, more: impl FnOnce(Serve) -> Serve) -> Self {
        let folder = folder();
        let address = format!("unix:{}", text(&folder.path().join("outpost.sock")));
        let serve = Self::serve(package, folder.path()).with(&["--admin", &address]);
        Self { gateway: more(serve).start(), address, folder }
    }

    /// Operators come by a port, with a token for each scope.
    pub fn on_port(more: impl FnOnce(Serve) -> Serve) -> Self {
        let folder = folder();
        let mut toml = "[admin]\nlisten = \"127.0.0.1:0\"\n".to_owned();
        for scope in SCOPES {
            let file = token_file(folder.path(), scope);
            std::fs::write(&file, token(scope)).expect("a folder of ours takes a file");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))
                .expect("it is ours");
            toml += &format!(
                "[[admin.tokens]]\nname = {scope:?}\ntoken_file = {file:?}\nscope = {scope:?}\n"
            );
        }
        let gateway = more(Self::serve(Outpost::ridge(), folder.path()).settings(&toml)).start();
        let log = gateway.log();
        let (_, rest) = log.split_once(ANNOUNCEMENT).expect("it says where operators come");
        let address = rest.lines().next().expect("an address").to_owned();
        Self { gateway, address, folder }
    }

    /// What [`Self::serving`] starts, but for the socket, with all that it keeps in this folder.
    pub fn serve(package: &Path, folder: &Path) -> Serve {
        let state = folder.join("state");
        Serve::package(package, &folder.join("outbox")).with(&["--state", text(&state)])
    }

    /// Where operators come, as `--admin` takes it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Everything that the gateway keeps.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command of an operator who needs no token.
    pub fn run(&self, words: &[&str]) -> Run {
        let output = Outpost::command(words).env("OUTPOST_ADMIN", &self.address).output();
        Run::of(output.expect("the binary starts"))
    }

    /// Runs a command with the token of this scope.
    pub fn run_as(&self, scope: &str, words: &[&str]) -> Run {
        let mut command = Outpost::command(words);
        command.env("OUTPOST_ADMIN", &self.address);
        command.env("OUTPOST_TOKEN_FILE", token_file(self.folder(), scope));
        Run::of(command.output().expect("the binary starts"))
    }

    /// A connection to the operators' port.
    ///
    /// # Panics
    ///
    /// When they come by a socket.
    pub fn client(&self) -> Client {
        let port = self.address.rsplit(':').next().and_then(|port| port.parse().ok());
        Client::connect(port.expect("operators come by a port")).expect("it listens")
    }

    /// The lines of the audit.
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let audit = std::fs::read_to_string(self.folder().join("state/audit.jsonl"));
        let line = |line: &str| serde_json::from_str(line).expect("a line of JSON");
        audit.expect("there is an audit").lines().map(line).collect()
    }

    /// What `outpost status --json` says.
    pub fn status(&self) -> serde_json::Value {
        let run = self.run(&["status", "--json"]).succeeded();
        serde_json::from_str(&run.out).expect("JSON")
    }
}

/// The token of a scope.
pub fn token(scope: &str) -> String {
    format!("{scope}-canary-0123456789abcdef")
}

fn token_file(folder: &Path, scope: &str) -> PathBuf {
    folder.join(format!("{scope}.token"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}
