//! What is needed to speak to a team's etcd.

use std::path::{Path, PathBuf};

use deconflict_registry::Error;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::Address;

/// What is needed to speak to a team's etcd.
#[derive(Debug, Clone)]
pub struct EtcdAccess {
    /// Where it is.
    pub address: Address,
    /// Whose keys are meant below the prefix: the repository.
    pub repository: String,
    /// As whom.
    pub user: Option<User>,
    /// Who vouches for its certificate, instead of those whom everybody trusts.
    pub ca: Option<PathBuf>,
    /// The certificate that it is shown.
    pub cert: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
}

/// A user of the cluster.
#[derive(Clone)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

impl EtcdAccess {
    /// What all keys of the repository begin with.
    pub(super) fn prefix(&self) -> String {
        format!("{}/{}/", self.address.prefix(), self.repository)
    }

    pub(super) fn tls(&self) -> Result<TlsConfig, Error> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &self.ca {
            let certificates = self.certificates(path)?;
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            let certificates = self.certificates(cert)?;
            let key = PrivateKey::from_pem(&self.read(key)?).map_err(|_| self.unusable(key, "has no private key"))?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&certificates, key)));
        }
        Ok(tls.build())
    }

    fn certificates(&self, path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
        let bytes = self.read(path)?;
        let found: Vec<_> = ureq::tls::parse_pem(&bytes)
            .filter_map(|item| match item {
                Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        if found.is_empty() { Err(self.unusable(path, "has no certificate")) } else { Ok(found) }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, Error> {
        std::fs::read(path).map_err(|error| self.unusable(path, &format!("could not be read ({error})")))
    }

    fn unusable(&self, path: &Path, why: &str) -> Error {
        Error::Declined {
            place: self.address.to_string(),
            reason: format!("it was not asked, because {} {why}", path.display()),
        }
    }
}
