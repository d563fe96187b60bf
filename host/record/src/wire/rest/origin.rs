//! Where an entry comes from: what the envelope's header knows and the server's own shape has no place for.

use std::borrow::Cow;

use serde::ser::SerializeMap;

use super::entries;
use crate::wire::read::Header;

/// Where an entry comes from. A server of ours tells repeats by the record's id and keeps packages, parts and gateways
/// apart; any other server passes over these keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The message's own id; of what was cut out of a longer message, with the place of the piece behind it.
    pub record_id: Option<Cow<'a, str>>,
    /// The package that gave the numbers, `sha256:<hex>`.
    pub model_digest: Option<Cow<'a, str>>,
    /// The part that the package plays; none for the champion.
    pub role: Option<Cow<'a, str>>,
    /// The gateway.
    pub gateway: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Header> for Origin<'a> {
    fn from(header: &'a Header) -> Self {
        let text = |field: &'a Option<String>| field.as_deref().map(Cow::Borrowed);
        Self {
            record_id: text(&header.id),
            model_digest: text(&header.model_digest),
            role: text(&header.role),
            gateway: text(&header.gateway),
        }
    }
}

impl Origin<'_> {
    /// The origin of the piece at `place` of a message that was cut. The first keeps the message's id, so that a message
    /// that is not cut is only the case of one piece.
    pub(super) fn piece(&self, place: usize) -> Self {
        let mut origin = self.clone();
        if place > 0 {
            origin.record_id = self.record_id.as_ref().map(|id| format!("{id}/{place}").into());
        }
        origin
    }

    pub(super) fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        entries!(map,
            "recordId": self.record_id,
            "modelDigest": self.model_digest,
            "role": self.role,
            "gateway": self.gateway,
        );
        Ok(())
    }
}
