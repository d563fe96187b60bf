//! How a Kafka client protects its connection and logs in; the same for the writing and the reading side.
//!
//! The broker's certificate and its name in it are always checked; there is no setting to turn that off.

use std::path::{Path, PathBuf};

use rdkafka::config::ClientConfig;

use super::oauth::TokenFile;
use crate::channel::ChannelError;
use crate::channel::secret::Secret;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// Not at all.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// A log-in over a bare connection.
    SaslPlaintext,
    /// A log-in over TLS.
    SaslSsl,
}

/// Whom to trust, and who we are. The broker's certificate is always checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// File with the certificates to trust; without it the system's.
    pub ca_location: Option<String>,
    /// File with our certificate.
    pub certificate_location: Option<String>,
    /// File with our key.
    pub key_location: Option<String>,
    /// The key's password.
    pub key_password: Option<Secret>,
    /// File with the key's password.
    pub key_password_file: Option<PathBuf>,
}

/// A log-in: user and password, or a token.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaslSettings {
    /// How the log-in goes.
    pub mechanism: SaslMechanism,
    /// The user's name; not with a token.
    pub username: Option<String>,
    /// The user's password; not with a token.
    pub password: Option<Secret>,
    /// File with the user's password.
    pub password_file: Option<PathBuf>,
    /// File with the token, a JWT, for `OAUTHBEARER`. It is read again whenever the token runs out.
    pub token_file: Option<PathBuf>,
}

/// How a log-in goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum SaslMechanism {
    /// The password itself is sent: only with `sasl_ssl` is it safe on the way.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Both sides prove that they know the password.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Both sides prove that they know the password.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// A token, which some other program puts into a file and renews there.
    #[serde(rename = "OAUTHBEARER")]
    OauthBearer,
}

/// The settings of one client that concern its security.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Security<'a> {
    pub(crate) protocol: SecurityProtocol,
    pub(crate) tls: &'a TlsSettings,
    pub(crate) sasl: Option<&'a SaslSettings>,
}

impl SecurityProtocol {
    /// Every protocol, by the name that the client has for it.
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("plaintext", Self::Plaintext),
        ("ssl", Self::Ssl),
        ("sasl_plaintext", Self::SaslPlaintext),
        ("sasl_ssl", Self::SaslSsl),
    ];

    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, protocol)| *protocol == self).map_or("", |(name, _)| name)
    }
}

impl SaslMechanism {
    /// Every mechanism, by its registered name.
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("PLAIN", Self::Plain),
        ("SCRAM-SHA-256", Self::ScramSha256),
        ("SCRAM-SHA-512", Self::ScramSha512),
        ("OAUTHBEARER", Self::OauthBearer),
    ];

    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

impl Security<'_> {
    /// Names the first setting that contradicts another. Opens no file.
    pub(crate) fn check(&self) -> Result<(), ChannelError> {
        let uses_sasl =
            matches!(self.protocol, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl);
        let tls = self.tls;
        let mut rules = vec![
            (
                "sasl",
                "given exactly with security_protocol sasl_plaintext or sasl_ssl",
                self.sasl.is_some() == uses_sasl,
            ),
            (
                "tls.key_password",
                "given as key_password or as key_password_file, not as both",
                tls.key_password.is_none() || tls.key_password_file.is_none(),
            ),
        ];
        if let Some(sasl) = self.sasl {
            let by_token = sasl.mechanism == SaslMechanism::OauthBearer;
            let passwords =
                usize::from(sasl.password.is_some()) + usize::from(sasl.password_file.is_some());
            rules.extend([
                (
                    "sasl.token_file",
                    "given exactly with mechanism OAUTHBEARER",
                    sasl.token_file.is_some() == by_token,
                ),
                (
                    "sasl.username",
                    "given with every mechanism but OAUTHBEARER",
                    sasl.username.is_some() != by_token,
                ),
                (
                    "sasl.password",
                    "given either as password or as password_file, and not with OAUTHBEARER",
                    passwords == usize::from(!by_token),
                ),
            ]);
        }
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((setting, must_be, _)) => Err(ChannelError::Setting { setting, must_be }),
            None => Ok(()),
        }
    }

    /// Puts everything into the client's settings; reads the files with secrets.
    pub(crate) fn set(&self, config: &mut ClientConfig) -> Result<(), ChannelError> {
        self.check()?;
        config.set("security.protocol", self.protocol.name());
        let tls = self.tls;
        let files = [
            ("ssl.ca.location", &tls.ca_location),
            ("ssl.certificate.location", &tls.certificate_location),
            ("ssl.key.location", &tls.key_location),
        ];
        for (key, file) in files {
            if let Some(file) = file {
                config.set(key, file);
            }
        }
        let given = |setting, text: &Option<Secret>, file: &Option<PathBuf>| {
            Secret::given(text.as_ref(), file.as_deref())
                .map_err(|source| ChannelError::Secret { setting, source })
        };
        let key_password =
            given("tls.key_password_file", &tls.key_password, &tls.key_password_file)?;
        if let Some(password) = key_password {
            config.set("ssl.key.password", password.reveal());
        }
        let Some(sasl) = self.sasl else { return Ok(()) };
        config.set("sasl.mechanism", sasl.mechanism.name());
        if let Some(username) = &sasl.username {
            config.set("sasl.username", username);
        }
        if let Some(password) = given("sasl.password_file", &sasl.password, &sasl.password_file)? {
            config.set("sasl.password", password.reveal());
        }
        Ok(())
    }

    /// Where tokens come from, with `OAUTHBEARER`.
    pub(crate) fn tokens(&self) -> Option<TokenFile> {
        self.sasl.and_then(|sasl| sasl.token_file.as_deref()).map(Path::to_owned).map(TokenFile)
    }
}
