//! From a body to [`Work`]: what all kinds of calls have in common.

use jiff::tz::TimeZone;
use record::wire::Moment;
use record::wire::rest::read::{self, Body, BodyError, Fault, Origin, Refused};

use super::answer::{IngestError, RefusedEntry};
use super::plan::{DeploymentPlan, PackagePlan};
use super::work::{Call, EntryTime, GroupSeed, NO_KEY, Records, Skew, Work};
use crate::rollup::{GroupKey, Shape};
use crate::store::pending::key;

/// Times before this one are no times of a record: 2000-01-01, in microseconds since 1970.
const FIRST_US: i64 = 946_684_800_000_000;
/// Times further ahead than this are none either: about ten years, in microseconds.
const FUTURE_US: i64 = 3_653 * 24 * 3_600 * 1_000_000;

/// Microseconds since 1970; a time without a place is taken as UTC, and none is what cannot be read.
pub(super) fn micros(moment: Option<Moment>) -> Option<i64> {
    match moment? {
        Moment::Instant(instant) => Some(instant.as_microsecond()),
        Moment::Local(local) => {
            TimeZone::UTC.to_timestamp(local).ok().map(|instant| instant.as_microsecond())
        }
        Moment::Unknown => None,
    }
}

/// Reads a body, also one with tokens that only Python takes for JSON.
pub(super) fn read_body<'a, T: read::Entry<'a>>(
    text: &'a [u8],
    clean: &'a mut Option<Vec<u8>>,
) -> Result<Body<T>, IngestError> {
    let error = match read::body(text) {
        Ok(body) => return Ok(body),
        Err(error) => error,
    };
    if let BodyError::NotJson(_) = &error {
        *clean = read::without_tokens(text);
        if let Some(text) = clean {
            return read::body(text).map_err(refuse_body);
        }
    }
    Err(refuse_body(error))
}

pub(super) fn refuse_body(error: BodyError) -> IngestError {
    match error {
        BodyError::NotJson(error) => IngestError::NotJson(error.to_string()),
        BodyError::Shape(Fault { field, reason }) => IngestError::Body { field, reason },
    }
}

/// A call while its entries are looked at.
pub(super) struct Preparing<'p> {
    pub(super) plan: &'p DeploymentPlan,
    pub(super) work: Work,
}

impl<'p> Preparing<'p> {
    pub(super) fn new(call: Call, plan: &'p DeploymentPlan, received_us: i64) -> Self {
        let work = Work {
            call,
            received_us,
            rows_an_hour: plan.rows_an_hour,
            groups: Vec::new(),
            entries: Vec::new(),
            refused: Vec::new(),
            columns: Vec::new(),
            places: Vec::new(),
            values: Vec::new(),
            keys: Vec::new(),
            rows: 0,
        };
        Self { plan, work }
    }

    /// Notes an entry that is not taken.
    pub(super) fn refuse(&mut self, index: usize, refused: Refused) {
        let Refused { record_id, fault: Fault { field, reason } } = refused;
        let seen_record_ids = Vec::new();
        self.work.refused.push(RefusedEntry { index, record_id, field, reason, seen_record_ids });
    }

    /// The same, for what is found when the entry is looked at.
    pub(super) fn refuse_entry(&mut self, index: usize, origin: &Origin<'_>, fault: Fault) {
        let record_id = origin.record_id.as_deref().map(str::to_owned);
        self.refuse(index, Refused { record_id, fault });
    }

    /// When an entry happened. A clock that is wrong is noted, and never a reason to drop what it stamped.
    pub(super) fn time(&self, moment: Option<Moment>) -> EntryTime {
        let received = self.work.received_us;
        let Some(us) = micros(moment) else {
            return EntryTime { us: received, skew: Some(Skew::Unreadable) };
        };
        let ahead = us.saturating_sub(received);
        let off = ahead > self.plan.ahead_us || ahead < -self.plan.behind_us;
        let us = if us < FIRST_US || ahead > FUTURE_US { received } else { us };
        EntryTime { us, skew: off.then_some(Skew::By(ahead)) }
    }

    /// The key of a message; further texts tell its entries apart.
    pub(super) fn record(&self, origin: &Origin<'_>, part: Option<&str>) -> Records {
        let Some(id) = origin.record_id.as_deref().filter(|id| !id.is_empty()) else {
            return Records::None;
        };
        Records::One(self.record_key(id, part))
    }

    pub(super) fn record_key(&self, id: &str, part: Option<&str>) -> u128 {
        let kind = self.work.call as u8;
        match part {
            None => key(kind, &[&self.plan.id, id]),
            Some(part) => key(kind, &[&self.plan.id, id, part]),
        }
    }

    /// The key of an association id.
    pub(super) fn association(&self, id: Option<&str>) -> u128 {
        match id.filter(|id| !id.is_empty()) {
            Some(id) => key(super::work::ASSOCIATION, &[&self.plan.id, id]),
            None => NO_KEY,
        }
    }

    /// The place of an entry's group, and its package as far as it is known.
    pub(super) fn group(
        &mut self,
        origin: &Origin<'_>,
        model: Option<&str>,
    ) -> (u32, Option<&'p PackagePlan>) {
        let digest = origin.model_digest.as_deref();
        let role = origin.role.as_deref().filter(|role| !role.is_empty() && *role != "champion");
        let gateway = origin.gateway.as_deref();
        let package = self.plan.package(model, digest);
        let model = model.or_else(|| package.map(|package| &*package.model_id)).unwrap_or_default();
        let is_same = |seed: &GroupSeed| {
            let key = &seed.key;
            key.model_id == model
                && key.digest.as_deref() == digest
                && key.role.as_deref() == role
                && key.gateway.as_deref() == gateway
        };
        if let Some(at) = self.work.groups.iter().rposition(is_same) {
            return (at as u32, package);
        }
        let key = GroupKey {
            deployment: self.plan.id.clone(),
            model_id: model.to_owned(),
            digest: digest.map(str::to_owned),
            role: role.map(str::to_owned),
            gateway: gateway.map(str::to_owned),
            plan: package.map(|package| package.number),
        };
        let shape = Shape {
            target: self.plan.target.clone(),
            features: package.map_or_else(Vec::new, |package| {
                package.features().iter().map(|(_, bins)| bins.empty()).collect()
            }),
            predicted: package.and_then(|package| Some(package.predictions.as_ref()?.empty())),
        };
        self.work.groups.push(GroupSeed { key, shape });
        (self.work.groups.len() as u32 - 1, package)
    }
}

/// What is counted of a body that cannot be used.
pub(super) fn refused_body(
    call: Call,
    plan: &DeploymentPlan,
    error: &IngestError,
    received_us: i64,
) -> Work {
    let mut preparing = Preparing::new(call, plan, received_us);
    let fault = match error {
        IngestError::Body { field, reason } => Fault::new(field, reason),
        _other => Fault::new("the body", "is not JSON"),
    };
    preparing.refuse(0, Refused { record_id: None, fault });
    preparing.work
}
