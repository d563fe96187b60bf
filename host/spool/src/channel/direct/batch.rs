//! Which messages go into one call.
//!
//! A call is for one deployment and of one kind: how requests went, rows that agree in what they count for, or actuals. It takes
//! what waits, in order, until a cap is reached. Messages of a call that may have arrived are put together again
//! exactly as they were, if they are all there.

use std::collections::{HashSet, VecDeque};

use record::wire::read::{Actual, Envelope, Payload};
use record::wire::rest::{ActualEntry, Flags, Origin, PredictionInput, PredictionRequest};
use uuid::Uuid;

/// The namespace of the keys: with it a key is made of the ids of a call's messages.
const KEYS: Uuid = Uuid::from_u128(0x2f6e_0b0c_5d0b_4c63_9c0a_8a51_6a1f_7d42);
/// Bytes around the entries of a call, at most.
const FRAME_BYTES: usize = 80;

/// Most of everything in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caps {
    /// Bytes of the body; one that holds a single message may be larger.
    pub(super) bytes: usize,
    /// Rows, all entries together.
    pub(super) rows: usize,
    /// Entries with rows.
    pub(super) groups: usize,
    /// Entries about requests.
    pub(super) stats: usize,
}

/// What a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Subject {
    deployment_id: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Requests,
    Inputs(Flags),
    Actuals,
}

/// A message in the server's shape.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The record that it belongs to.
    pub(super) seq: u64,
    id: Uuid,
    subject: Subject,
    rows: usize,
    json: Vec<u8>,
}

/// The messages of one call; there is at least one.
#[derive(Debug)]
pub(super) struct Batch {
    subject: Subject,
    items: Vec<Item>,
}

/// What waits, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
}

impl Item {
    /// None for a payload that this channel does not send.
    pub(super) fn new(seq: u64, id: Uuid, deployment_id: &str, message: &Envelope) -> Option<Self> {
        let origin = Origin::from(&message.header);
        let (kind, rows, json) = match &message.payload {
            Payload::DeploymentStats(stats) => {
                (Kind::Requests, 0, serde_json::to_vec(&PredictionRequest(stats, origin)))
            }
            Payload::PredictionsData(data) => {
                let input = PredictionInput(data, origin);
                (Kind::Inputs(input.flags()), data.rows(), serde_json::to_vec(&input))
            }
            Payload::ActualsData(data) => {
                (Kind::Actuals, data.actuals_list.len(), entries(&data.actuals_list, &origin))
            }
            _other => return None,
        };
        let subject = Subject { deployment_id: deployment_id.to_owned(), kind };
        let json = json.expect("what was read from JSON is JSON");
        Some(Self { seq, id, subject, rows, json })
    }
}

impl Queue {
    pub(super) fn extend(&mut self, items: Vec<Item>) {
        self.items.extend(items);
    }

    pub(super) fn clear(&mut self) {
        self.items.clear();
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Item) -> bool) {
        self.items.retain(keep);
    }

    /// Takes the messages of the next call out. `unsure` are the calls that may have arrived, by their messages.
    pub(super) fn take(&mut self, unsure: &mut Vec<Vec<Uuid>>, caps: &Caps) -> Option<Batch> {
        let here: HashSet<Uuid> = self.items.iter().map(|item| item.id).collect();
        if let Some(at) = unsure.iter().position(|ids| ids.iter().all(|id| here.contains(id))) {
            let again: HashSet<Uuid> = unsure.remove(at).into_iter().collect();
            return self.take_where(|item, _| again.contains(&item.id));
        }
        // What is not all there cannot be made again; it is not waited for.
        unsure.retain(|ids| !ids.iter().any(|id| here.contains(id)));
        let first = self.items.front()?;
        let subject = first.subject.clone();
        let most = match subject.kind {
            Kind::Requests => caps.stats,
            Kind::Inputs(_) => caps.groups,
            // Each holds one at least.
            Kind::Actuals => caps.rows,
        };
        let mut full = false;
        self.take_where(|item, taken| {
            if full || item.subject != subject {
                return false;
            }
            let entries = taken.len() + 1;
            let rows = item.rows + taken.iter().map(|item| item.rows).sum::<usize>();
            let bytes = FRAME_BYTES + body_bytes(taken) + item.json.len();
            full = entries > 1 && (entries > most || rows > caps.rows || bytes > caps.bytes);
            !full
        })
    }

    fn take_where(&mut self, mut wanted: impl FnMut(&Item, &[Item]) -> bool) -> Option<Batch> {
        let mut taken: Vec<Item> = Vec::new();
        let mut left = VecDeque::with_capacity(self.items.len());
        for item in self.items.drain(..) {
            if wanted(&item, &taken) {
                taken.push(item);
            } else {
                left.push_back(item);
            }
        }
        self.items = left;
        let subject = taken.first()?.subject.clone();
        Some(Batch { subject, items: taken })
    }
}

/// Actuals as entries of a call, which has no list around those of one message.
fn entries(actuals: &[Actual], origin: &Origin<'_>) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::new();
    for (at, actual) in actuals.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        serde_json::to_writer(&mut json, &ActualEntry(actual, origin))?;
    }
    Ok(json)
}

/// Bytes of entries with the commas behind them.
fn body_bytes(items: &[Item]) -> usize {
    items.iter().map(|item| item.json.len() + 1).sum()
}

impl Batch {
    /// The records, once for each message.
    pub(super) fn seqs(&self) -> impl Iterator<Item = u64> {
        self.items.iter().map(|item| item.seq)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.items.iter().map(|item| item.id)
    }

    pub(super) fn deployment_id(&self) -> &str {
        &self.subject.deployment_id
    }

    /// The last part of the path.
    pub(super) fn what(&self) -> &'static str {
        match self.subject.kind {
            Kind::Requests => "predictionRequests",
            Kind::Inputs(_) => "predictionInputs",
            Kind::Actuals => "actuals",
        }
    }

    /// The same for the same messages, whatever else happens.
    pub(super) fn key(&self) -> Uuid {
        let ids: Vec<u8> = self.ids().flat_map(Uuid::into_bytes).collect();
        Uuid::new_v5(&KEYS, &ids)
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.body_bytes());
        body.extend_from_slice(b"{\"data\":[");
        for (at, item) in self.items.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&item.json);
        }
        body.push(b']');
        if let Kind::Inputs(flags) = self.subject.kind {
            if flags.skip_drift_tracking {
                body.extend_from_slice(b",\"skipDriftTracking\":true");
            }
            if flags.skip_accuracy_tracking {
                body.extend_from_slice(b",\"skipAccuracyTracking\":true");
            }
        }
        body.push(b'}');
        body
    }

    /// At least the bytes of the body.
    pub(super) fn body_bytes(&self) -> usize {
        FRAME_BYTES + body_bytes(&self.items)
    }

    /// Whether its contents could go in several calls.
    pub(super) fn can_shrink(&self) -> bool {
        self.items.len() > 1 || self.items.iter().any(|item| item.rows > 1)
    }

    pub(super) fn describe(&self) -> String {
        format!("POST {} of deployment {:?}", self.what(), self.deployment_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::wire::read::Envelope;

    const CAPS: Caps = Caps { bytes: 1 << 20, rows: 10_000, groups: 100, stats: 500 };

    fn item(number: u64, deployment: &str, kind: &str, data: &str) -> Item {
        let envelope = format!(
            r#"{{"header":{{"deploymentId":"{deployment}","dataType":"{kind}"}},"data":{data}}}"#
        );
        let envelope = Envelope::read(envelope.as_bytes()).unwrap();
        Item::new(number, Uuid::from_u128(number.into()), deployment, &envelope).unwrap()
    }

    fn stats(number: u64, deployment: &str) -> Item {
        item(number, deployment, "DEPLOYMENT_STATS", r#"{"numPredictions":1}"#)
    }

    fn rows(number: u64, count: usize) -> Item {
        let predictions = vec!["1.5"; count].join(",");
        item(number, "d", "PREDICTIONS_DATA", &format!(r#"{{"predictions":[{predictions}]}}"#))
    }

    fn sizes(items: Vec<Item>, caps: Caps) -> Vec<usize> {
        let mut queue = Queue::default();
        queue.extend(items);
        let batches = std::iter::from_fn(|| queue.take(&mut Vec::new(), &caps));
        batches.map(|batch| batch.items.len()).collect()
    }

    #[test]
    fn a_call_takes_as_much_as_it_may_and_no_more() {
        let all = |count| (0..count).map(|number| stats(number, "d")).collect::<Vec<_>>();
        assert_eq!(sizes(all(1001), CAPS), [500, 500, 1]);
        let groups = |count, rows_each| (0..count).map(|number| rows(number, rows_each)).collect();
        assert_eq!(sizes(groups(201, 1), CAPS), [100, 100, 1]);
        assert_eq!(sizes(groups(4, 100), Caps { rows: 200, ..CAPS }), [2, 2]);
        assert_eq!(sizes(groups(4, 100), Caps { rows: 199, ..CAPS }), [1, 1, 1, 1]);
        let two = Batch { subject: rows(0, 1).subject, items: groups(2, 1) }.body_bytes();
        assert_eq!(sizes(groups(4, 1), Caps { bytes: two, ..CAPS }), [2, 2]);
        assert_eq!(sizes(groups(4, 1), Caps { bytes: two - 2, ..CAPS }), [1, 1, 1, 1]);
        // One alone may be larger, or it would never go.
        assert_eq!(sizes(groups(2, 9), Caps { bytes: 1, rows: 1, groups: 1, stats: 1 }), [1, 1]);
    }

    #[test]
    fn actuals_of_many_messages_are_the_entries_of_one_call() {
        let actuals = |number, ids: &[&str]| {
            let list: Vec<_> = ids
                .iter()
                .map(|id| serde_json::json!({"associationId": id, "actualValue": 1.5}))
                .collect();
            let data = serde_json::json!({"actualsList": list, "modelId": "m"});
            item(number, "d", "ACTUALS_DATA", &data.to_string())
        };
        let items = || vec![actuals(1, &["a", "b"]), stats(2, "d"), actuals(3, &["c"])];
        let mut queue = Queue::default();
        queue.extend(items());
        let batch = queue.take(&mut Vec::new(), &CAPS).unwrap();
        assert_eq!((batch.what(), batch.seqs().collect::<Vec<_>>()), ("actuals", vec![1, 3]));
        let one = |id: &str| format!(r#"{{"associationId":"{id}","actualValue":1.5}}"#);
        let body = format!(r#"{{"data":[{},{},{}]}}"#, one("a"), one("b"), one("c"));
        assert_eq!(String::from_utf8(batch.body()).unwrap(), body);
        assert!(batch.body_bytes() >= body.len());
        assert_eq!(sizes(items(), Caps { rows: 2, ..CAPS }), [1, 1, 1]);
    }

    #[test]
    fn a_call_is_about_one_deployment_and_one_kind() {
        let skip = r#"{"predictions":[1],"skipDriftTracking":true,"skipAccuracyTracking":true}"#;
        let items = vec![
            stats(1, "d"),
            rows(2, 1),
            stats(3, "e"),
            item(4, "d", "PREDICTIONS_DATA", skip),
            stats(5, "d"),
            rows(6, 2),
        ];
        let mut queue = Queue::default();
        queue.extend(items);
        let batches: Vec<Batch> =
            std::iter::from_fn(|| queue.take(&mut Vec::new(), &CAPS)).collect();
        let told: Vec<_> = batches
            .iter()
            .map(|batch| (batch.what(), batch.deployment_id(), batch.seqs().collect::<Vec<_>>()))
            .collect();
        assert_eq!(
            told,
            [
                ("predictionRequests", "d", vec![1, 5]),
                ("predictionInputs", "d", vec![2, 6]),
                ("predictionRequests", "e", vec![3]),
                ("predictionInputs", "d", vec![4]),
            ]
        );
        let body = |at: usize| String::from_utf8(batches[at].body()).unwrap();
        assert_eq!(body(0), r#"{"data":[{"numPredictions":1},{"numPredictions":1}]}"#);
        assert_eq!(body(1), r#"{"data":[{"predictions":[1.5]},{"predictions":[1.5,1.5]}]}"#);
        assert_eq!(
            body(3),
            r#"{"data":[{"predictions":[1]}],"skipDriftTracking":true,"skipAccuracyTracking":true}"#
        );
        for (at, batch) in batches.iter().enumerate() {
            assert!(batch.body_bytes() >= batch.body().len(), "{at}");
        }
    }

    #[test]
    fn a_call_that_may_have_arrived_is_put_together_as_it_was() {
        let mut queue = Queue::default();
        queue.extend((0..5).map(|number| stats(number, "d")).collect());
        let first = queue.take(&mut Vec::new(), &Caps { stats: 2, ..CAPS }).unwrap();
        let mut unsure = vec![first.ids().collect::<Vec<_>>()];
        queue.clear();
        // More waits by now, and the caps are wider.
        queue.extend((0..9).map(|number| stats(number, "d")).collect());
        let again = queue.take(&mut unsure, &CAPS).unwrap();
        assert_eq!((again.key(), again.body()), (first.key(), first.body()));
        assert_eq!(queue.take(&mut unsure, &CAPS).unwrap().items.len(), 7);
        // One of two alone, because a rejected record is looked for: it goes, under another key.
        let mut unsure = vec![first.ids().collect::<Vec<_>>()];
        queue.extend(vec![stats(1, "d")]);
        let alone = queue.take(&mut unsure, &CAPS).unwrap();
        assert_ne!(alone.key(), first.key());
        assert!(unsure.is_empty());
    }
}
