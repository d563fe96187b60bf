//! One call to the server, on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::DirectSettings;
use super::batch::Batch;
use crate::channel::ChannelError;
pub(super) use crate::rest::Outcome;
use crate::rest::{REPLY_BYTES, RestClient, RestSettings};

/// A call, ready to be made.
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) url: String,
    pub(super) key: Uuid,
    pub(super) body: Vec<u8>,
}

/// What came of it.
pub(super) struct Reply {
    pub(super) number: u64,
    pub(super) outcome: Outcome,
}

/// What calls have in common.
#[derive(Clone)]
pub(super) struct Client(Arc<RestClient>);

impl Client {
    pub(super) fn new(settings: &DirectSettings) -> Result<Self, ChannelError> {
        let settings = RestSettings {
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
            token_file: settings.token_file.clone(),
            ca_location: settings.ca_location.clone(),
            verify: true,
            timeout: Duration::from_millis(settings.timeout_ms),
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            connections: 1,
            reply_bytes: REPLY_BYTES,
        };
        RestClient::new(&settings).map(|client| Self(Arc::new(client)))
    }

    /// Reads the token again, if it is in a file.
    pub(super) fn renew_token(&self) -> Result<(), String> {
        self.0.renew_token()
    }

    pub(super) fn url(&self, batch: &Batch) -> String {
        self.0.url(&["deployments", batch.deployment_id(), batch.what(), "fromJSON"])
    }

    pub(super) fn make(&self, call: &Call) -> Reply {
        Reply { number: call.number, outcome: self.0.post(&call.url, call.key, &call.body) }
    }
}
