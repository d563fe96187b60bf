//! Where operators come, and who they are.

use super::choose;
use crate::error::{CliError, chain};
use ::admin::{AdminSettings, Listen, Scope, Token, Tokens};
use serde::Deserialize;
use spool::channel::Secret;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    pub(super) listen: Option<String>,
    tokens: Vec<TokenFile>,
    connections_max: usize,
    header_time_max: u64,
    header_bytes_max: usize,
    body_time_max: u64,
    write_stall_time_max: u64,
    package_bytes_max: usize,
    uploads_max: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    name: String,
    token_file: PathBuf,
    scope: String,
}

impl Admin {
    /// None where nobody may come. Reads the tokens.
    pub(super) fn settings(self, grace: Duration) -> Result<Option<AdminSettings>, CliError> {
        let Some(listen) = &self.listen else { return Ok(None) };
        let wrong = |key: &str, error: &dyn std::error::Error| {
            CliError::Usage(format!("admin.{key}: {}", chain(error)))
        };
        let rules = [
            ("connections_max", "must be at least 1", self.connections_max > 0),
            ("header_bytes_max", "must be at least 8192", self.header_bytes_max >= 8192),
            ("header_time_max", "must not be zero", self.header_time_max > 0),
            ("uploads_max", "must be at least 1", self.uploads_max > 0),
        ];
        if let Some((key, rule, _)) = rules.into_iter().find(|(_, _, kept)| !kept) {
            return Err(CliError::Usage(format!("admin.{key} {rule}")));
        }
        let listen: Listen = listen.parse().map_err(|error| wrong("listen", &error))?;
        let tokens = self.tokens.iter().map(TokenFile::read).collect::<Result<_, _>>()?;
        let tokens = Tokens::new(tokens).map_err(|error| wrong("tokens", &error))?;
        if matches!(listen, Listen::Loopback(_)) && tokens.is_empty() {
            return Err(wrong("listen", &::admin::BindError::NoTokens));
        }
        Ok(Some(AdminSettings {
            connections: self.connections_max,
            header_time: Duration::from_millis(self.header_time_max),
            header_bytes: self.header_bytes_max,
            body_time: Duration::from_millis(self.body_time_max),
            write_stall_time: Duration::from_millis(self.write_stall_time_max),
            package_bytes: self.package_bytes_max,
            uploads: self.uploads_max,
            grace,
            ..AdminSettings::new(listen, tokens)
        }))
    }
}

impl TokenFile {
    fn read(&self) -> Result<Token, CliError> {
        let wrong = |error: &dyn std::error::Error| {
            CliError::Usage(format!("admin.tokens of {:?}: {}", self.name, chain(error)))
        };
        let words = Scope::ALL.map(|scope| (scope.as_str(), scope));
        let scope =
            choose(&format!("admin.tokens of {:?}: scope", self.name), &self.scope, &words)?;
        let text = Secret::read(&self.token_file).map_err(|error| wrong(&error))?;
        Token::new(&self.name, scope, text.reveal()).map_err(|error| wrong(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{load, said, with_file};
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_file_of_defaults_holds_the_defaults_of_the_room() {
        assert!(load(&["--model", "m.wasm"], &[]).unwrap().admin.is_none());
        let config = load(&["--model", "m.wasm", "--admin", "unix:a.sock"], &[]).unwrap();
        let mut admin = config.admin.unwrap();
        assert_eq!(admin.grace, config.gateway.grace);
        let room = AdminSettings::new(Listen::Unix("a.sock".into()), Tokens::default());
        admin.grace = room.grace;
        assert_eq!(format!("{admin:?}"), format!("{room:?}"));
        assert!(config.fleet.state.is_some(), "what can change is remembered");
    }

    #[test]
    fn a_gateway_with_operators_may_start_empty() {
        assert!(load(&["--admin", "unix:a.sock"], &[]).unwrap().deployments.is_empty());
    }

    #[test]
    fn tokens_are_read_and_what_is_wrong_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ci.token");
        let with = |text: &str, mode: u32, scope: &str, listen: &str| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let toml = format!(
                "[admin]\nlisten = {listen:?}\n[[admin.tokens]]\nname = \"ci\"\ntoken_file = {file:?}\nscope = {scope:?}"
            );
            with_file(&toml, &[])
        };
        let canary = "a-canary-of-32-letters-and-digits";
        let config = with(canary, 0o600, "deploy", "127.0.0.1:9092").unwrap();
        assert!(!config.admin.as_ref().unwrap().tokens.is_empty());
        assert!(!format!("{config:?}").contains(canary));
        for (text, mode, scope, listen, words) in [
            (canary, 0o604, "deploy", "127.0.0.1:9092", ["tokens of \"ci\"", "chmod"]),
            ("a-canary", 0o600, "deploy", "127.0.0.1:9092", ["tokens of \"ci\"", "openssl"]),
            (canary, 0o600, "write", "127.0.0.1:9092", ["scope", "read or deploy or admin"]),
            (canary, 0o600, "deploy", "0.0.0.0:9092", ["admin.listen", "other machines"]),
            (canary, 0o600, "deploy", "outpost.sock", ["admin.listen", "unix:PATH"]),
        ] {
            let said = said(with(text, mode, scope, listen));
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
            assert!(!said.contains("a-canary"), "{said}");
        }
        let bare = said(with_file("[admin]\nlisten = \"127.0.0.1:9092\"", &[]));
        assert!(bare.contains("admin.tokens"), "{bare}");
    }
}
