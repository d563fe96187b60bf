//! The secured ways into a broker. [`USER`] logs in with [`PASSWORD`], by `PLAIN` or `SCRAM`; an unsigned token
//! does as well, by `OAUTHBEARER`.

use super::{PASSWORD, USER, free_ports};
use crate::certificates::{Authority, Identity};
use std::path::{Path, PathBuf};

const MODULES: &str = "org.apache.kafka.common.security";

/// Doors beside those that every broker has.
#[derive(Debug)]
pub struct Doors {
    /// TLS; clients need a certificate.
    pub mutual: u16,
    /// A log-in over TLS.
    pub secured: u16,
    /// Whom to trust.
    pub ca: PathBuf,
    /// A certificate that the broker trusts.
    pub client: Identity,
    keystore: PathBuf,
}

impl Doors {
    pub(super) fn new(folder: &Path) -> Self {
        let authority = Authority::new(folder);
        let [mutual, secured] = free_ports();
        let server = authority.issue("broker");
        // Key and certificate in one file, as Kafka wants them.
        let read = |path| std::fs::read_to_string(path).expect("a file that was just written");
        let keystore = folder.join("keystore.pem");
        std::fs::write(&keystore, read(&server.key) + &read(&server.certificate))
            .expect("the folder takes a file");
        let client = authority.issue("gateway");
        Self { mutual, secured, ca: authority.certificate(), client, keystore }
    }

    /// What a list of listeners gets more.
    pub(super) fn listeners(&self, host: &str) -> String {
        format!(",MUTUAL://{host}:{},SECURED://{host}:{}", self.mutual, self.secured)
    }

    /// What the map of their protocols gets more.
    pub(super) fn protocols() -> &'static str {
        ",MUTUAL:SSL,SECURED:SASL_SSL"
    }

    /// Settings of the broker. The door for log-ins that every broker has learns SCRAM too.
    pub(super) fn settings(&self) -> String {
        let log_in = |door: &str| {
            format!(
                "listener.name.{door}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.{door}.plain.sasl.jaas.config={MODULES}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
listener.name.{door}.scram-sha-256.sasl.jaas.config={MODULES}.scram.ScramLoginModule required;
listener.name.{door}.scram-sha-512.sasl.jaas.config={MODULES}.scram.ScramLoginModule required;
listener.name.{door}.oauthbearer.sasl.jaas.config={MODULES}.oauthbearer.OAuthBearerLoginModule required \\
unsecuredLoginStringClaim_sub=\"broker\";
"
            )
        };
        format!(
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
ssl.keystore.type=PEM
ssl.keystore.location={}
ssl.truststore.type=PEM
ssl.truststore.location={}
listener.name.mutual.ssl.client.auth=required
{}{}",
            self.keystore.display(),
            self.ca.display(),
            log_in("login"),
            log_in("secured")
        )
    }

    /// Arguments with which a new broker learns its users.
    pub(super) fn users() -> [String; 4] {
        let user = |mechanism| format!("{mechanism}=[name={USER},password={PASSWORD}]");
        let add = || "--add-scram".to_owned();
        [add(), user("SCRAM-SHA-256"), add(), user("SCRAM-SHA-512")]
    }
}
