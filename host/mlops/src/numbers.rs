//! Stub.
#![expect(missing_docs, reason = "stub")]
use serde::{Deserialize, Serialize};
#[derive(Default, Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sum(f64, f64);
impl Sum {
    pub fn add(&mut self, x: f64) {
        let s = self.0 + x;
        let b = s - self.0;
        self.1 += (self.0 - (s - b)) + (x - b);
        self.0 = s;
    }
    pub fn subtract(&mut self, x: f64) {
        self.add(-x)
    }
    pub fn merge(&mut self, o: &Sum) {
        self.add(o.0);
        self.add(o.1)
    }
    pub fn value(&self) -> f64 {
        self.0 + self.1
    }
}
#[derive(Clone, Debug)]
pub enum Bins {
    Numeric { min: f64, max: f64 },
    Levels { listed: Vec<String>, known: Vec<String> },
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tally(pub Vec<u64>);
impl Tally {
    pub fn add(&mut self, place: usize, n: u64) {
        if let Some(c) = self.0.get_mut(place) {
            *c += n
        }
    }
    pub fn merge(&mut self, o: &Tally) {
        for (a, b) in self.0.iter_mut().zip(&o.0) {
            *a += b
        }
    }
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
impl Bins {
    pub fn empty(&self) -> Tally {
        match self {
            Bins::Numeric { .. } => Tally(vec![0; 13]),
            Bins::Levels { listed, .. } => Tally(vec![0; listed.len() + 3]),
        }
    }
    pub fn place_number(&self, x: f64) -> usize {
        match self {
            Bins::Numeric { min, max } => {
                if x.is_nan() {
                    12
                } else if x < *min {
                    0
                } else if x > *max {
                    11
                } else {
                    1 + models::manifest::distribution::bin(x, *min, *max, 10)
                }
            }
            Bins::Levels { listed, .. } => listed.len() + 2,
        }
    }
    pub fn place_text(&self, t: Option<&str>) -> usize {
        match (self, t) {
            (Bins::Numeric { .. }, _) => 12,
            (Bins::Levels { listed, .. }, None) => listed.len() + 2,
            (Bins::Levels { listed, known }, Some(t)) => listed
                .iter()
                .position(|l| l == t)
                .unwrap_or(listed.len() + usize::from(!known.iter().any(|k| k == t))),
        }
    }
    pub fn add_centroids(&self, tally: &mut Tally, c: &[(f64, i64)], missing: u64) {
        for (x, n) in c {
            tally.add(self.place_number(*x), *n as u64)
        }
        tally.add(12, missing);
    }
}
#[derive(Default, Clone, Debug, Serialize, Deserialize)]
pub struct Times(Vec<u32>, u64);
impl Times {
    pub fn add(&mut self, ms: f64) {
        let b = (ms.max(0.01).ln() * 50.0 + 300.0) as usize;
        if self.0.len() <= b {
            self.0.resize(b + 1, 0)
        }
        self.0[b] += 1;
        self.1 += 1
    }
    pub fn merge(&mut self, o: &Times) {
        if self.0.len() < o.0.len() {
            self.0.resize(o.0.len(), 0)
        }
        for (a, b) in self.0.iter_mut().zip(&o.0) {
            *a += b
        }
        self.1 += o.1
    }
    pub fn quantile(&self, _: f64) -> Option<f64> {
        None
    }
    pub fn count(&self) -> u64 {
        self.1
    }
}
#[derive(Default, Clone, Debug, Serialize, Deserialize)]
pub struct Load(Vec<u64>);
impl Load {
    pub fn add(&mut self, m: usize, n: u64) {
        if self.0.is_empty() {
            self.0 = vec![0; 60]
        }
        self.0[m] += n
    }
    pub fn merge(&mut self, _o: &Load) {}
}
pub mod accuracy {
    use super::*;
    #[derive(Clone, Debug)]
    pub enum Target {
        Regression,
        Binary { classes: [String; 2], threshold: f64 },
        Multiclass { classes: Vec<String> },
    }
    #[derive(Clone, Copy, Debug)]
    pub enum Actual {
        Number(f64),
        Class(usize),
    }
    #[derive(Clone, Copy, Debug)]
    pub struct Outcome<'a> {
        pub prediction: &'a [f64],
        pub actual: Actual,
    }
    #[derive(Default, Clone, Copy, Debug, Serialize, Deserialize)]
    pub struct Sums {
        n: u64,
        e: Sum,
        s: Sum,
    }
    impl Sums {
        pub fn rows(&self) -> u64 {
            self.n
        }
        pub fn new(_: &Target) -> Self {
            Self::default()
        }
        fn error(o: &Outcome<'_>) -> f64 {
            match o.actual {
                Actual::Number(a) => o.prediction[0] - a,
                Actual::Class(c) => 1.0 - o.prediction[c],
            }
        }
        pub fn add(&mut self, o: &Outcome<'_>) {
            let e = Self::error(o);
            self.n += 1;
            self.e.add(e.abs());
            self.s.add(e * e)
        }
        pub fn remove(&mut self, o: &Outcome<'_>) {
            let e = Self::error(o);
            self.n -= 1;
            self.e.add(-e.abs());
            self.s.add(-e * e)
        }
        pub fn merge(&mut self, o: &Sums) {
            self.n += o.n;
            self.e.merge(&o.e);
            self.s.merge(&o.s)
        }
    }
}

#[derive(Default, Clone, Debug, Serialize, Deserialize)]
pub struct Health {
    pub requests: u64,
    pub predictions: u64,
    pub user_errors: u64,
    pub system_errors: u64,
    pub slow: u64,
    pub times: Times,
    pub load: Load,
}
impl Health {
    pub fn merge(&mut self, o: &Self) {
        self.requests += o.requests;
        self.predictions += o.predictions;
        self.times.merge(&o.times)
    }
}
#[derive(Default, Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Usage {
    pub rows: u64,
    pub without_association_id: u64,
    pub rate_limited: u64,
}
impl Usage {
    pub fn merge(&mut self, o: &Self) {
        self.rows += o.rows;
        self.without_association_id += o.without_association_id;
        self.rate_limited += o.rate_limited
    }
}
