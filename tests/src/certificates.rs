//! Certificates for brokers with TLS, made by an authority that nobody else knows.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::path::{Path, PathBuf};

/// An authority with its files in a folder.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's file, not encrypted.
    pub key: PathBuf,
}

impl Authority {
    /// A new one that leaves its certificate in this folder.
    pub fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder for certificates");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of the stories");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.join("ca.pem"), certificate.pem()).expect("the folder takes a file");
        Self { folder: folder.to_owned(), issuer: Issuer::new(params, key) }
    }

    /// The file with the certificate to trust.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for this machine under `name`, which serves brokers and clients alike.
    pub fn issue(&self, name: &str) -> Identity {
        let here = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(here).expect("names of this machine");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let file = |kind: &str, text: String| {
            let path = self.folder.join(format!("{name}.{kind}.pem"));
            std::fs::write(&path, text).expect("the folder takes a file");
            path
        };
        Identity {
            certificate: file("certificate", certificate.pem()),
            key: file("key", key.serialize_pem()),
        }
    }
}
