//! Addresses, `amqp://user:password@host:5672/vhost` or `amqps://` with TLS, and names of queues.
//!
//! The virtual host has a trap. By the letter of the URL, `amqp://host:5672/` names the virtual host "" and
//! `amqp://host:5672` names "/". The public Python library takes both for "/", the public Java agent does not, and no
//! broker has a virtual host "" unless somebody made one on purpose. Here an empty one is "/". A virtual host with a
//! slash in its name is written with `%2f`.

use lapin::uri::AMQPUri;

/// What an address must be, for errors.
pub(crate) const ADDRESS: &str =
    "amqp://user:password@host:5672/vhost, or amqps://, with user and password percent-encoded";

/// What a queue's name must be, for errors.
pub(crate) const QUEUE: &str = "the name of a queue, of 255 bytes at most";

/// Most bytes of the name of a queue or of a virtual host: the protocol's short string.
const NAME_BYTES: usize = 255;

/// Parses an address. There is no reason in the error, because reasons quote passwords.
pub(crate) fn address(url: &str) -> Option<AMQPUri> {
    let url = url.trim();
    let mut uri: AMQPUri = url.parse().ok()?;
    if uri.vhost.is_empty() {
        uri.vhost = "/".to_owned();
    }
    // The client's parser does not know these, and goes to localhost instead.
    if let Some(host) = bracketed(url) {
        uri.authority.host = host.to_owned();
    }
    (uri.vhost.len() <= NAME_BYTES && !uri.authority.host.is_empty()).then_some(uri)
}

/// Whether a queue can have this name.
pub(crate) fn is_queue(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= NAME_BYTES && !name.contains('\0')
}

/// The IPv6 address of a URL that has one.
fn bracketed(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.strip_prefix('[')?;
    host.split_once(']').map(|(host, _)| host)
}

/// What may be said of an address.
pub(super) fn place(uri: &AMQPUri) -> String {
    format!("{}://{}:{}", uri.scheme, uri.authority.host, uri.authority.port)
}
