//! Where a team's etcd is.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// etcd's own port for clients.
const DEFAULT_PORT: u16 = 2379;

/// `etcd://HOST:PORT[,HOST:PORT…]/PREFIX`, or `etcds://` where it speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    hosts: Vec<String>,
    prefix: String,
    is_encrypted: bool,
}

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It begins with neither of the two words.
    #[error("it should begin with etcd:// or, for TLS, with etcds://")]
    Scheme,
    /// No host, or one that cannot be one.
    #[error("\"{0}\" is not a host with a port")]
    Host(String),
    /// No prefix.
    #[error("after the hosts comes a / and the prefix of all keys, such as /our-team")]
    NoPrefix,
}

impl Address {
    /// Where each member is asked.
    pub fn urls(&self) -> Vec<String> {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        self.hosts.iter().map(|host| format!("{scheme}://{host}")).collect()
    }

    /// What all keys begin with, without a slash around it.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// True if it is spoken to by TLS only.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// True if what is said to it never leaves this machine.
    pub fn is_on_this_machine(&self) -> bool {
        let is_loopback =
            |host: &String| ["localhost:", "127.", "[::1]:"].iter().any(|beginning| host.starts_with(beginning));
        self.hosts.iter().all(is_loopback)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(AddressError::Scheme)?;
        let is_encrypted = match scheme {
            "etcd" => false,
            "etcds" => true,
            _ => return Err(AddressError::Scheme),
        };
        let (hosts, prefix) = rest.split_once('/').ok_or(AddressError::NoPrefix)?;
        let prefix = prefix.trim_matches('/');
        if prefix.is_empty() || prefix.contains(char::is_control) {
            return Err(AddressError::NoPrefix);
        }
        let hosts = hosts.split(',').map(host_with_port).collect::<Result<_, _>>()?;
        Ok(Self { hosts, prefix: prefix.to_owned(), is_encrypted })
    }
}

fn host_with_port(text: &str) -> Result<String, AddressError> {
    let wrong = || AddressError::Host(text.to_owned());
    let is_unusual = |c: char| !(c.is_ascii_alphanumeric() || ".-_[]:".contains(c));
    if text.is_empty() || text.contains(is_unusual) {
        return Err(wrong());
    }
    // The colons of an address of version 6 stand between brackets.
    let after_brackets = text.rsplit(']').next().unwrap_or(text);
    match after_brackets.split_once(':') {
        None => Ok(format!("{text}:{DEFAULT_PORT}")),
        Some((_, port)) => port.parse::<u16>().map(|_| text.to_owned()).map_err(|_| wrong()),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "etcds" } else { "etcd" };
        write!(f, "{scheme}://{}/{}", self.hosts.join(","), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["etcd://a:1/team", "etcds://a:1,[::1]:2379,b.example:2379/team/of/ours"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("etcd://a/x/".parse::<Address>().unwrap().to_string(), "etcd://a:2379/x");
        for (text, error) in [
            ("http://a:1/x", AddressError::Scheme),
            ("a:1/x", AddressError::Scheme),
            ("etcd://a:1", AddressError::NoPrefix),
            ("etcd://a:1/", AddressError::NoPrefix),
            ("etcd://a:port/x", AddressError::Host("a:port".to_owned())),
            ("etcd://a:1,/x", AddressError::Host(String::new())),
            ("etcd://user@a:1/x", AddressError::Host("user@a:1".to_owned())),
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn only_loopback_is_this_machine() {
        let is_here = |text: &str| text.parse::<Address>().unwrap().is_on_this_machine();
        assert!(is_here("etcd://127.0.0.1:1,localhost:2,[::1]:3/x"));
        assert!(!is_here("etcd://127.0.0.1:1,etcd.example:2/x"));
    }
}
