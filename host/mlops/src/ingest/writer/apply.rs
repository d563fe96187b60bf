//! Adding a call to what is in memory, and noting what must be stored for it.

use std::sync::Arc;

use sqlx::AnyConnection;

use super::found::Found;
use super::memory::{Cell, Memory};
use super::writes::{Batch, Writes, note_refusals, storable};
use super::{Taken, WriteError};
use crate::ingest::answer::{Accepted, RefusedEntry};
use crate::ingest::target::outcome;
use crate::ingest::work::{Entry, NO_KEY, PREDICTIONS, Records, Rows, What, Work};
use crate::rollup::{HOUR_US, Rollup};
use crate::store::pending::item::{self, Known, Values, Waiting};

/// What an entry's records say.
enum Seen {
    New,
    Before,
    Partly(Vec<String>),
}

impl Memory {
    /// Adds a call.
    pub(super) async fn apply(
        &mut self,
        db: &mut AnyConnection,
        found: &Found,
        taken: &Taken,
        writes: &mut Writes,
    ) -> Result<Accepted, WriteError> {
        let work = &taken.work;
        let mut answer = Accepted::default();
        answer.refused.clone_from(&work.refused);
        writes.taken_us = writes.taken_us.max(work.received_us);
        let groups: Vec<u32> =
            work.groups.iter().map(|seed| self.group(&seed.key, writes)).collect();
        for entry in &work.entries {
            match self.see(found, &entry.records) {
                Seen::Before => {
                    answer.duplicates += 1;
                    continue;
                }
                Seen::Partly(seen_record_ids) => {
                    answer.refused.push(RefusedEntry {
                        index: entry.index,
                        record_id: None,
                        field: "recordIds".to_owned(),
                        reason: "must all be new: sum the others up without those that were taken before".to_owned(),
                        seen_record_ids,
                    });
                    continue;
                }
                Seen::New => self.remember(&entry.records, &mut writes.block),
            }
            answer.accepted += 1;
            match &entry.what {
                What::Actual { key, at_us, value } => {
                    let known = Known { at_us: *at_us, value: *value };
                    self.resolve(db, found, *key, known, writes).await?;
                }
                What::Metric { metric, model, values } => {
                    writes.metrics.extend(values.iter().map(|(at, value)| {
                        (taken.deployment.clone(), storable(metric), storable(model), *at, *value)
                    }));
                }
                _other => {
                    let Some(group) = groups.get(entry.group as usize) else { continue };
                    let cell = (*group, entry.time.hour());
                    let seed = work.groups.get(entry.group as usize);
                    self.fetch(db, cell, seed.map(|seed| &seed.shape)).await?;
                    self.count(found, taken, entry, cell, writes);
                }
            }
        }
        note_refusals(taken, &answer, writes);
        Ok(answer)
    }

    /// A group's number.
    fn group(&mut self, key: &crate::rollup::GroupKey, writes: &mut Writes) -> u32 {
        if let Some(id) = self.groups.get(key) {
            return *id;
        }
        let id = self.next_group;
        self.next_group += 1;
        let shared = Arc::new(key.clone());
        self.keys.insert(id, Arc::clone(&shared));
        self.groups.insert(shared, id);
        // A key is texts and numbers, which always can be written.
        let body = serde_json::to_string(key).unwrap_or_default();
        writes.groups.push((id, key.deployment.clone(), body));
        id
    }

    fn has_record(&self, found: &Found, key: u128) -> bool {
        self.open.has_record(key)
            || self.frozen.as_ref().is_some_and(|frozen| frozen.has_record(key))
            || found.has_record(key)
    }

    fn see(&self, found: &Found, records: &Records) -> Seen {
        match records {
            Records::None => Seen::New,
            Records::One(key) if self.has_record(found, *key) => Seen::Before,
            Records::One(_) => Seen::New,
            Records::Many(many) => {
                let seen = many.iter().filter(|(key, _)| self.has_record(found, *key));
                let seen: Vec<String> = seen.map(|(_, id)| id.clone()).collect();
                match seen.len() {
                    0 => Seen::New,
                    all if all == many.len() => Seen::Before,
                    _some => Seen::Partly(seen),
                }
            }
        }
    }

    fn remember(&mut self, records: &Records, block: &mut Vec<u8>) {
        let mut add = |key| {
            if self.open.add_record(key) {
                item::write_record(block, key);
            }
        };
        match records {
            Records::None => {}
            Records::One(key) => add(*key),
            Records::Many(many) => many.iter().for_each(|(key, _)| add(*key)),
        }
    }

    /// Counts an entry in its rollup.
    fn count(
        &mut self,
        found: &Found,
        taken: &Taken,
        entry: &Entry,
        cell: Cell,
        writes: &mut Writes,
    ) {
        let work = &taken.work;
        let skew = entry.time.skew;
        let happened = entry.time.us;
        if let Some(skew) = skew {
            let gateway =
                work.groups.get(entry.group as usize).and_then(|seed| seed.key.gateway.clone());
            let key = [taken.deployment.clone(), storable(&gateway.unwrap_or_default())];
            writes.skews.entry(key).or_default().note(skew, work.received_us);
        }
        let left = self.left(&taken.deployment, work, &entry.what, writes);
        let Some(rollup) = self.rollup(cell) else { return };
        rollup.note(happened, work.received_us, skew.is_some());
        let mut batch = Batch { first_us: happened, last_us: happened, ..Batch::default() };
        match &entry.what {
            What::Request { predictions, ms, slow, user_error, system_error } => {
                let health = &mut rollup.health;
                health.requests += 1;
                health.predictions = health.predictions.saturating_add(*predictions);
                health.slow += u64::from(*slow);
                health.user_errors += u64::from(*user_error);
                health.system_errors += u64::from(*system_error);
                if let Some(ms) = ms {
                    health.times.add(*ms);
                }
                health.load.add(entry.time.minute(), 1);
                batch.requests = 1;
                batch.user_errors = i64::from(*user_error);
                batch.system_errors = i64::from(*system_error);
                batch.predictions = i64::try_from(*predictions).unwrap_or(i64::MAX);
            }
            What::Rows(rows) => {
                let counted = rows.rows.min(usize::try_from(left).unwrap_or(usize::MAX));
                count_rows(rollup, work, rows, counted);
                batch.rows = counted as i64;
                if rows.counted {
                    writes.rows += counted as u64;
                    for value in predicted(work, rows, counted) {
                        batch.prediction_sum += value;
                        batch.prediction_count += 1;
                    }
                }
                if let Some(first) = rows.keys.filter(|_| cell.1 >= self.horizon) {
                    let keys = &work.keys[first..first + counted];
                    self.wait(found, work, rows, keys, cell, writes);
                }
            }
            What::Summed { rows, .. } if left < *rows => {
                rollup.usage.rows = rollup.usage.rows.saturating_add(*rows);
                rollup.usage.rate_limited = rollup.usage.rate_limited.saturating_add(*rows);
            }
            What::Summed { rows, features, predictions, sum } => {
                rollup.usage.rows = rollup.usage.rows.saturating_add(*rows);
                rollup.rows = rollup.rows.saturating_add(*rows);
                rollup.rows_summed = rollup.rows_summed.saturating_add(*rows);
                for (ours, theirs) in rollup.features.iter_mut().zip(features) {
                    if let Some(theirs) = theirs {
                        ours.merge(theirs);
                    }
                }
                if let (Some(ours), Some(theirs)) = (&mut rollup.predicted, predictions) {
                    ours.merge(theirs);
                }
                if let Some((sum, count)) = sum.filter(|(sum, _)| sum.is_finite()) {
                    rollup.prediction_sum.add(sum);
                    rollup.prediction_count = rollup.prediction_count.saturating_add(count);
                }
                writes.rows = writes.rows.saturating_add(*rows);
                batch.rows = i64::try_from(*rows).unwrap_or(i64::MAX);
            }
            What::Actual { .. } | What::Metric { .. } => {}
        }
        if let Some(id) = &entry.batch {
            let key = [taken.deployment.clone(), storable(id)];
            writes.batches.entry(key).and_modify(|there| there.add(&batch)).or_insert(batch);
        }
    }

    /// Rows that are still counted this hour, by the clock of the server; counts those of the entry.
    fn left(&mut self, deployment: &str, work: &Work, what: &What, writes: &mut Writes) -> u64 {
        let Some(limit) = work.rows_an_hour else { return u64::MAX };
        let rows = match what {
            What::Rows(rows) => rows.rows as u64,
            What::Summed { rows, .. } => *rows,
            _other => return u64::MAX,
        };
        let hour = (work.received_us / HOUR_US) as u32;
        let used = self.limits.entry(deployment.to_owned()).or_insert((hour, 0));
        if used.0 != hour {
            *used = (hour, 0);
        }
        let left = limit.saturating_sub(used.1);
        // Sums are taken whole or not at all.
        let taken =
            if matches!(what, What::Summed { .. }) && left < rows { 0 } else { rows.min(left) };
        used.1 += taken;
        writes.limits.insert(deployment.to_owned(), *used);
        left
    }

    /// Lets predictions wait for their actuals; some are known already.
    fn wait(
        &mut self,
        found: &Found,
        work: &Work,
        rows: &Rows,
        keys: &[u128],
        cell: Cell,
        writes: &mut Writes,
    ) {
        let values = work.values[rows.values..].chunks_exact(rows.width);
        for (key, values) in keys.iter().zip(values) {
            if *key == NO_KEY || values.iter().any(|value| value.is_nan()) {
                continue;
            }
            let (group, hour) = cell;
            self.open.add_prediction(*key, Waiting { group, hour, values: Values::of(values) });
            item::write_prediction(&mut writes.block, *key, group, hour, values);
            let here = self.open.actual(*key);
            let Some(known) = here.or_else(|| self.older_actual(found, *key)) else { continue };
            if here.is_none() {
                // It must be remembered as long as the prediction is.
                self.open.set_actual(*key, known);
                item::write_actual(&mut writes.block, *key, known);
            }
            writes.joined += 1;
            if let Some(rollup) = self.rollup(cell) {
                rollup.accuracy.add(&outcome(values, known.value));
            }
        }
    }

    fn older_actual(&self, found: &Found, key: u128) -> Option<Known> {
        let frozen = self.frozen.as_ref().and_then(|frozen| frozen.actual(key));
        frozen.or_else(|| if found.has_no_outcomes() { None } else { found.actual(key) })
    }

    /// An actual: takes the place of an earlier one, in the hours of its predictions.
    async fn resolve(
        &mut self,
        db: &mut AnyConnection,
        found: &Found,
        key: u128,
        known: Known,
        writes: &mut Writes,
    ) -> Result<(), WriteError> {
        let former = self.open.actual(key).or_else(|| self.older_actual(found, key));
        if former.is_some_and(|former| former.at_us > known.at_us) {
            return Ok(());
        }
        self.open.set_actual(key, known);
        item::write_actual(&mut writes.block, key, known);
        let mut waiting: Vec<Waiting> = self.open.predictions(key).cloned().collect();
        if let Some(frozen) = &self.frozen {
            waiting.extend(frozen.predictions(key).cloned());
        }
        waiting.extend_from_slice(found.predictions(key));
        for Waiting { group, hour, values } in waiting {
            let cell = (group, hour);
            writes.joined += u64::from(former.is_none());
            if hour < self.horizon || !self.fetch(db, cell, None).await? {
                continue;
            }
            if let Some(rollup) = self.rollup(cell) {
                if let Some(former) = former {
                    rollup.accuracy.remove(&outcome(values.as_slice(), former.value));
                }
                rollup.accuracy.add(&outcome(values.as_slice(), known.value));
            }
        }
        Ok(())
    }
}

/// Counts the first rows of an entry; the others are beyond the limit.
fn count_rows(rollup: &mut Rollup, work: &Work, rows: &Rows, counted: usize) {
    rollup.usage.rows = rollup.usage.rows.saturating_add(rows.rows as u64);
    rollup.usage.rate_limited =
        rollup.usage.rate_limited.saturating_add((rows.rows - counted) as u64);
    let without_id = match rows.keys {
        Some(first) => {
            work.keys[first..first + counted].iter().filter(|key| **key == NO_KEY).count()
        }
        None => rows.without_id.min(counted),
    };
    rollup.usage.without_association_id += without_id as u64;
    if !rows.counted {
        rollup.rows_untracked += counted as u64;
        return;
    }
    rollup.rows = rollup.rows.saturating_add(counted as u64);
    for column in &work.columns[rows.columns.0..rows.columns.1] {
        let places = &work.places[column.start as usize..column.start as usize + counted];
        let tally = match column.place {
            PREDICTIONS => rollup.predicted.as_mut(),
            place => rollup.features.get_mut(place as usize),
        };
        if let Some(tally) = tally {
            places.iter().for_each(|place| tally.add(usize::from(*place), 1));
        }
    }
    for value in predicted(work, rows, counted) {
        rollup.prediction_sum.add(value);
        rollup.prediction_count = rollup.prediction_count.saturating_add(1);
    }
}

/// The predictions of the first rows of an entry: the number, or the positive class's probability (the last one's of several).
fn predicted<'a>(work: &'a Work, rows: &Rows, counted: usize) -> impl Iterator<Item = f64> + 'a {
    let values = work.values[rows.values..].chunks_exact(rows.width.max(1));
    let counted = if rows.width > 0 { counted } else { 0 };
    values.take(counted).filter_map(|row| row.last()).copied().filter(|value| value.is_finite())
}
