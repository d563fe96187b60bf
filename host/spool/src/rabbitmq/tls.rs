//! TLS: files in PEM, the system's certificates when none are named. The broker's certificate is always checked.

use std::sync::Arc;

use lapin::tcp::RustlsConnector;
use lapin::uri::{AMQPScheme, AMQPUri};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::Trouble;

/// The rule for a CA, for errors.
pub(crate) const SECURED: &str = "given only with an amqps:// url";

/// The rule for a certificate of our own, for errors.
pub(crate) const PAIR: &str =
    "given together with the other two: CA, certificate and key make mutual TLS, or the CA alone";

/// The oldest protocol to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub enum TlsVersion {
    /// 1.2 or newer.
    #[default]
    #[serde(rename = "TLSv1.2")]
    V12,
    /// 1.3 or newer.
    #[serde(rename = "TLSv1.3")]
    V13,
}

/// Where certificates and key lie.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Certificates to trust; without it the system's.
    pub(crate) ca: Option<String>,
    /// Our certificate.
    pub(crate) certificate: Option<String>,
    /// Our key, not encrypted.
    pub(crate) key: Option<String>,
    /// The oldest protocol to speak.
    pub(crate) version: TlsVersion,
}

impl TlsVersion {
    /// By the name that OpenSSL, Python and Java have for it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "TLSv1.2" => Some(Self::V12),
            "TLSv1.3" => Some(Self::V13),
            _ => None,
        }
    }
}

impl Files {
    /// Whether the public library would make mutual TLS of them too, or there is no certificate of our own.
    pub(crate) fn go_together(&self) -> bool {
        self.certificate.is_some() == self.key.is_some()
            && (self.certificate.is_none() || self.ca.is_some())
    }

    /// Whether these files fit an address. All three make TLS of any, as they do with the public library; a CA alone
    /// next to a bare connection is a mistake.
    pub(crate) fn suit(&self, uri: &AMQPUri) -> bool {
        uri.scheme == AMQPScheme::AMQPS || self.certificate.is_some() || self.ca.is_none()
    }

    /// Whether the connection is to be secured.
    pub(super) fn secure(&self, uri: &AMQPUri) -> bool {
        uri.scheme == AMQPScheme::AMQPS || self.certificate.is_some()
    }

    /// Reads the files.
    pub(super) fn connector(&self) -> Result<RustlsConnector, Trouble> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = match self.version {
            TlsVersion::V12 => rustls::ALL_VERSIONS,
            TlsVersion::V13 => &[&rustls::version::TLS13],
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| Trouble::operator(format!("TLS: {error}")))?
            .with_root_certificates(self.roots()?);
        let config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates("certificate", certificate)?;
                let secret = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| unusable("key", key, &error))?;
                builder
                    .with_client_auth_cert(chain, secret)
                    .map_err(|error| unusable("certificate or key", certificate, &error))?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(config.into())
    }

    fn roots(&self) -> Result<RootCertStore, Trouble> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.ca {
            for certificate in certificates("CA", path)? {
                roots.add(certificate).map_err(|error| unusable("CA", path, &error))?;
            }
            return Ok(roots);
        }
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = "TLS: this system has no certificates to trust, name a CA file".to_owned();
            return Err(Trouble::operator(why));
        }
        Ok(roots)
    }
}

fn certificates(what: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    match found {
        Ok(found) if found.is_empty() => Err(unusable(what, path, &"no certificate in it")),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(what, path, &error)),
    }
}

fn unusable(what: &str, path: &str, why: &dyn std::fmt::Display) -> Trouble {
    Trouble::operator(format!("TLS: {what} {path}: {why}"))
}
