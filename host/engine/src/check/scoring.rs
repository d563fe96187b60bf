//! The checks that score.

use std::time::{Duration, Instant};

use models::manifest::Manifest;

use super::{Figures, rows, told};
use crate::contract::Signature;
use crate::error::{Decline, ScoreError};
use crate::scorer::Batch;
use crate::subject::{Linked, Probe};

/// Different rows that are kept, and the least number of them.
const ROWS: usize = 97;
/// Sizes of batches.
const BATCHES: [usize; 4] = [1, 2, 97, 1000];
/// Calls in a row while memory is watched: it must not grow in their second half.
const CALLS: usize = 2000;
/// So many are made when it does, because a runtime may collect its garbage seldom.
const CALLS_MAX: usize = 64_000;
/// Numbers at the ends of what a number can be.
const EXTREMES: [f64; 8] = [0.0, -0.0, 5e-324, -5e-324, 1e308, -1e308, f64::MAX, f64::MIN];
/// Codes that are no level.
const NO_LEVELS: [f64; 5] = [-1.0, -2.0, 0.5, 1e9, 1e308];

/// A component that is asked for scores, with the rows that it takes and their predictions.
pub(super) struct Scoring<'a> {
    linked: &'a Linked,
    probe: Probe<'a>,
    signature: &'a Signature,
    rows: Vec<Vec<f64>>,
    predictions: Vec<f64>,
}

type Checked = Result<String, String>;

impl<'a> Scoring<'a> {
    pub(super) fn new(linked: &'a Linked, probe: Probe<'a>, signature: &'a Signature) -> Self {
        Self { linked, probe, signature, rows: Vec::new(), predictions: Vec::new() }
    }

    /// Finds rows that the model scores, one a call.
    pub(super) fn find_rows(&mut self, given: &[f64], manifest: Option<&Manifest>) -> Checked {
        let mut declined = None;
        for row in rows::candidates(self.signature, given, manifest) {
            if self.rows.len() == ROWS {
                break;
            }
            match self.ask(1, &row)? {
                Ok(predictions) => {
                    self.rows.push(row);
                    self.predictions.extend(predictions);
                }
                Err(why) => declined = Some(why.message),
            }
        }
        match (self.rows.len(), declined) {
            (0, why) => Err(format!(
                "it declines every row that was tried (\"{}\"); give rows that it takes with --rows",
                why.unwrap_or_default()
            )),
            (found, _) => Ok(format!("{found} rows, each gets a finite number")),
        }
    }

    /// A batch gives what its rows give one by one.
    pub(super) fn batches(&mut self) -> Checked {
        for size in BATCHES {
            let at = |place: usize| place % self.rows.len();
            let order: Vec<usize> = (0..size).map(at).collect();
            self.same(&order, &format!("a batch of {size}"))?;
        }
        Ok("of 1, 2, 97 and 1000 rows give what their rows give one by one, bit for bit"
            .to_string())
    }

    /// Neighbours and place in a batch do not matter.
    pub(super) fn order(&mut self) -> Checked {
        let backwards: Vec<usize> = (0..self.rows.len()).rev().collect();
        self.same(&backwards, "the same batch backwards")?;
        Ok("does not matter".to_string())
    }

    /// Asked again, also after batches that it declined, it gives the same.
    pub(super) fn repeated(&mut self) -> Checked {
        let all: Vec<usize> = (0..self.rows.len()).collect();
        for _ in 0..3 {
            self.same(&all, "the same batch again")?;
            let nothing = vec![f64::NAN; self.signature.features.len()];
            // Whether it takes this is another check's matter.
            drop(self.ask(1, &nothing));
        }
        Ok("the same answers, whatever was asked before".to_string())
    }

    /// An instance that has never been asked gives the same.
    pub(super) fn fresh(&mut self) -> Checked {
        self.restart()?;
        let last = self.rows.len() - 1;
        self.same(&[last], "the first row of a fresh instance")?;
        self.restart()?;
        let all: Vec<usize> = (0..self.rows.len()).collect();
        self.same(&all, "the first batch of a fresh instance")?;
        Ok("the same answers".to_string())
    }

    /// Each feature missing: a prediction, or a decline that names the feature.
    pub(super) fn missing(&mut self) -> Checked {
        let mut takes = Vec::new();
        for at in 0..self.signature.features.len() {
            let name = self.signature.features[at].name.clone();
            match self.with(at, f64::NAN)? {
                Ok(_) => takes.push(name),
                Err(why) => named(&why, &name, "missing")?,
            }
        }
        Ok(match takes.len() {
            0 => "declined, and the feature is named".to_string(),
            count if count == self.signature.features.len() => "scored".to_string(),
            _ => format!("scored for {}, else declined by the feature's name", takes.join(", ")),
        })
    }

    /// Each categorical feature with what is no level: a prediction, or a decline that names the feature.
    pub(super) fn unknown(&mut self) -> Option<Checked> {
        let features = self.signature.features.iter().enumerate();
        let categorical: Vec<usize> =
            features.filter(|(_, it)| it.kind == "categorical").map(|(at, _)| at).collect();
        if categorical.is_empty() {
            return None;
        }
        Some(self.no_levels(&categorical))
    }

    fn no_levels(&mut self, categorical: &[usize]) -> Checked {
        let mut takes = Vec::new();
        for &at in categorical {
            let input = self.signature.features[at].clone();
            for code in NO_LEVELS {
                match self.with(at, code)? {
                    Ok(_) if code == -1.0 => takes.push(input.name.clone()),
                    Ok(_) => {}
                    Err(why) => named(&why, &input.name, &format!("{code}"))?,
                }
            }
        }
        Ok(match takes.len() {
            0 => "declined, and the feature is named".to_string(),
            count if count == categorical.len() => "scored".to_string(),
            _ => format!("scored for {}, else declined by the feature's name", takes.join(", ")),
        })
    }

    /// Each feature, and all at once, at the ends of what numbers can be: a finite prediction or a decline.
    pub(super) fn extremes(&mut self) -> Checked {
        let mut declined = 0;
        for value in EXTREMES {
            for at in 0..self.signature.features.len() {
                if self.signature.features[at].kind == "numeric" {
                    declined += usize::from(self.with(at, value)?.is_err());
                }
            }
            let all = self.rows[0].iter().zip(&self.signature.features);
            let all: Vec<f64> =
                all.map(|(old, it)| if it.kind == "numeric" { value } else { *old }).collect();
            declined += usize::from(self.ask(1, &all)?.is_err());
        }
        Ok(format!("finite predictions, or declined ({declined} of the rows)"))
    }

    /// Numbers that do not fit the rows: declined, or answered with as many predictions as there are rows.
    pub(super) fn shapes(&mut self) -> Checked {
        let row = self.rows[0].clone();
        let longer = [row.as_slice(), &[1.0]].concat();
        for (rows, numbers) in [
            (2, row.as_slice()),
            (1, &longer),
            (1, &row[1..]),
            (1, &[]),
            (0, &[]),
            (u32::MAX, &row),
        ] {
            let asked = format!("{rows} rows with {} numbers", numbers.len());
            // Any answer of the contract will do.
            drop(self.ask(rows, numbers).map_err(|why| format!("{asked}: {why}"))?);
        }
        let all: Vec<usize> = (0..self.rows.len()).collect();
        self.same(&all, "a batch after wrong shapes")?;
        Ok("declined, or as many predictions as rows".to_string())
    }

    /// Many calls in one instance: memory settles.
    pub(super) fn memory(&mut self, figures: &mut Figures) -> Checked {
        self.restart()?;
        let mut times = Vec::with_capacity(CALLS);
        let mut made = 0;
        let mut calls = CALLS;
        loop {
            self.call_until(calls / 2, &mut made, &mut times)?;
            let half = self.probe.memory_bytes();
            self.call_until(calls, &mut made, &mut times)?;
            let now = self.probe.memory_bytes();
            figures.memory_bytes = Some(now);
            if now == half {
                times.sort_unstable();
                figures.one_row = times.get(times.len() / 2).copied();
                return Ok(format!("stands still over {calls} calls"));
            }
            if calls >= CALLS_MAX {
                return Err(format!(
                    "it grows with every call: {half} bytes after {}, {now} after {calls}; free what is answered",
                    calls / 2
                ));
            }
            calls *= 2;
        }
    }

    /// Calls with one row after the other until so many calls were made.
    fn call_until(
        &mut self,
        calls: usize,
        made: &mut usize,
        times: &mut Vec<Duration>,
    ) -> Result<(), String> {
        while *made < calls {
            let place = *made % self.rows.len();
            let started = Instant::now();
            self.same(&[place], &format!("call {made}"))?;
            times.push(started.elapsed());
            *made += 1;
        }
        Ok(())
    }

    /// The largest batch that a gateway gives it.
    pub(super) fn time(&mut self, figures: &mut Figures) -> Checked {
        let width = self.signature.features.len().max(1);
        let rows = (self.linked.limits().call_numbers / width).max(1);
        let order: Vec<usize> = (0..rows).map(|place| place % self.rows.len()).collect();
        let started = Instant::now();
        self.same(&order, &format!("a batch of {rows}"))?;
        figures.largest_rows = u32::try_from(rows).ok();
        figures.largest = Some(started.elapsed());
        figures.memory_bytes = Some(self.probe.memory_bytes());
        Ok(format!("a batch of {rows} rows, the largest that it gets, is scored within its limits"))
    }

    /// Scores rows by their places; each must get the prediction that it got alone.
    fn same(&mut self, places: &[usize], what: &str) -> Result<(), String> {
        let numbers: Vec<f64> = places.iter().flat_map(|at| self.rows[*at].clone()).collect();
        let rows = u32::try_from(places.len()).unwrap_or(u32::MAX);
        let answer = self.ask(rows, &numbers).map_err(|why| format!("{what}: {why}"))?;
        let got = answer.map_err(|why| {
            format!("{what}: it declines rows that it scored before: {}", why.message)
        })?;
        for (place, (at, got)) in places.iter().zip(got).enumerate() {
            let want = self.predictions[*at];
            if got.to_bits() != want.to_bits() {
                return Err(format!(
                    "{what}: row {place} gets {got}, and {want} when it was scored first"
                ));
            }
        }
        Ok(())
    }

    /// The first row with another value in one place.
    fn with(&mut self, at: usize, value: f64) -> Result<Result<f64, Decline>, String> {
        let mut row = self.rows[0].clone();
        row[at] = value;
        let name = self.signature.features[at].name.clone();
        let answer = self.ask(1, &row).map_err(|why| format!("{name} = {value}: {why}"))?;
        Ok(answer.map(|predictions| predictions[0]))
    }

    /// Asks. The error is for anything but an answer of the contract, and leaves another instance behind.
    fn ask(&mut self, rows: u32, numbers: &[f64]) -> Result<Result<Vec<f64>, Decline>, String> {
        match self.probe.score(Batch { rows, numbers }) {
            Ok(predictions) => Ok(Ok(predictions)),
            Err(ScoreError::Declined(decline)) => Ok(Err(decline)),
            Err(error) => {
                let why = told(&self.probe, &error);
                self.restart()?;
                Err(why)
            }
        }
    }

    fn restart(&mut self) -> Result<(), String> {
        self.probe = self.linked.start().map_err(|error| super::chain(&error))?;
        Ok(())
    }
}

/// A decline must say which feature it is about, and that it is the first row.
fn named(why: &Decline, name: &str, value: &str) -> Result<(), String> {
    match &why.feature {
        Some(feature) if feature == name => {}
        Some(other) => return Err(format!("{name} = {value}: the decline blames {other}")),
        None => return Err(format!("{name} = {value}: the decline names no feature")),
    }
    if why.code.is_empty() || why.message.is_empty() {
        return Err(format!("{name} = {value}: the decline has no code or no message"));
    }
    Ok(())
}
