//! Support vector regression.
//!
//! Not smartcore's: in version 0.7.0 its solver takes the similarity of a row to itself from the whole matrix, so
//! that it is right for the RBF kernel only, and it stops after 50,000 steps without a word. With other kernels its
//! predictions were off by up to 2 % where scikit-learn's stopped.
//!
//! # Operation
//!
//! Sequential minimal optimisation as in LIBSVM, which scikit-learn wraps. A row has two multipliers in `[0, C]`, one
//! that pulls the prediction up and one that pulls it down; their difference is the row's weight, and all weights sum
//! to 0. Each step picks the multiplier that presses most, and with it the one that promises the largest gain, and
//! moves both as far as the gain or their bounds allow. It ends when no pair presses by more than `tol`.
//!
//! The similarity of every row that was ever picked to all others is kept.

use super::{
    learner::{Gamma, Svr, SvrKernel},
    smart::{FitError, Fitted, Rows},
};
use crate::{
    Regressor,
    regressor::{Kernel, KernelFunction},
};

/// The most rows that SVR learns from: it keeps the similarity of every pair, 800 MB at this limit.
pub const SVR_ROWS_MAX: usize = 10_000;
/// The most steps: where these do not suffice, columns are scaled so badly that more would not either.
pub const SVR_STEPS_MAX: u64 = 1_000_000;
/// What a step divides by where two rows are equal.
const CURVATURE_MIN: f64 = 1e-12;

/// A multiplier: of a row, and which way it pulls the prediction (+1 or -1).
#[derive(Clone, Copy, Debug)]
struct Pull {
    row: usize,
    sign: f64,
}

struct Solver<'a> {
    rows: Rows<'a>,
    settings: Svr,
    function: KernelFunction,
    /// The multipliers of each row: up, down.
    multipliers: Vec<[f64; 2]>,
    /// What the weights so far make of each row, without bias.
    sums: Vec<f64>,
    /// The similarity of each row to itself.
    own: Vec<f64>,
    similar: Vec<Option<Vec<f64>>>,
}

pub(super) fn fit(rows: Rows<'_>, settings: Svr, predict: bool) -> Result<Fitted, FitError> {
    let count = rows.targets.len();
    if count > SVR_ROWS_MAX {
        return Err(FitError::TooManyRows { rows: count, most: SVR_ROWS_MAX });
    }
    let function = settings.kernel.function(rows);
    let own =
        rows.values.chunks_exact(rows.width).map(|row| function.similarity(row, row)).collect();
    let mut solver = Solver {
        rows,
        settings,
        function,
        multipliers: vec![[0.0; 2]; count],
        sums: vec![0.0; count],
        own,
        similar: vec![None; count],
    };
    solver.solve()?;
    let bias = solver.bias();
    let predictions = predict.then(|| solver.sums.iter().map(|sum| sum + bias).collect());
    let weights = solver.multipliers.iter().map(|[up, down]| up - down);
    let support = || {
        weights
            .clone()
            .zip(rows.values.chunks_exact(rows.width))
            .filter(|(weight, _)| *weight != 0.0)
    };
    let kernel = Kernel {
        function,
        vectors: support().flat_map(|(_, row)| row.iter().copied()).collect(),
        weights: support().map(|(weight, _)| weight).collect(),
        bias,
    };
    Ok(Fitted { regressor: Regressor::Kernel(kernel), predictions })
}

impl Solver<'_> {
    fn solve(&mut self) -> Result<(), FitError> {
        let mut gap = f64::INFINITY;
        for _ in 0..SVR_STEPS_MAX {
            let Some(raise) = self.strongest() else { return Ok(()) };
            self.compare(raise.row);
            let (lower, widest) = self.partner(raise);
            gap = widest;
            match lower {
                Some(lower) if gap > self.settings.tol => self.step(raise, lower),
                _ => return Ok(()),
            }
        }
        let advice = "rescale the columns to similar sizes, or lower `C`";
        Err(FitError::NotConverged { gap, tol: self.settings.tol, advice })
    }

    /// All multipliers.
    fn pulls(&self) -> impl Iterator<Item = Pull> {
        (0..self.rows.targets.len()).flat_map(|row| [1.0, -1.0].map(|sign| Pull { row, sign }))
    }

    fn multiplier(&self, pull: Pull) -> f64 {
        self.multipliers[pull.row][usize::from(pull.sign < 0.0)]
    }

    /// How far the row's weight can still be raised through this multiplier.
    fn room_above(&self, pull: Pull) -> f64 {
        if pull.sign > 0.0 {
            self.settings.c - self.multiplier(pull)
        } else {
            self.multiplier(pull)
        }
    }

    /// How far the row's weight can still be lowered through this multiplier.
    fn room_below(&self, pull: Pull) -> f64 {
        if pull.sign > 0.0 {
            self.multiplier(pull)
        } else {
            self.settings.c - self.multiplier(pull)
        }
    }

    /// How much a row wants its weight raised, as this multiplier sees it: up to the tube's near side, or back from its far one.
    fn pressure(&self, pull: Pull) -> f64 {
        self.rows.targets[pull.row] - self.sums[pull.row] - pull.sign * self.settings.epsilon
    }

    /// The multiplier through which a weight is raised: the one that presses most.
    fn strongest(&self) -> Option<Pull> {
        let free = self.pulls().filter(|pull| self.room_above(*pull) > 0.0);
        let pressed = free.map(|pull| (pull, self.pressure(pull)));
        pressed
            .reduce(|most, other| if other.1 > most.1 { other } else { most })
            .map(|(pull, _)| pull)
    }

    /// The multiplier through which another weight is lowered in turn: the one that promises most. With it the widest
    /// difference of pressures.
    fn partner(&self, raise: Pull) -> (Option<Pull>, f64) {
        let pressure = self.pressure(raise);
        let (mut partner, mut best, mut widest) = (None, 0.0, f64::NEG_INFINITY);
        for pull in self.pulls().filter(|pull| self.room_below(*pull) > 0.0) {
            let difference = pressure - self.pressure(pull);
            widest = widest.max(difference);
            let gain = difference * difference / self.curvature(raise.row, pull.row);
            if difference > 0.0 && gain > best {
                (partner, best) = (Some(pull), gain);
            }
        }
        (partner, widest)
    }

    fn step(&mut self, raise: Pull, lower: Pull) {
        let wanted =
            (self.pressure(raise) - self.pressure(lower)) / self.curvature(raise.row, lower.row);
        let move_by = wanted.min(self.room_above(raise)).min(self.room_below(lower));
        self.change(raise, move_by, move_by == self.room_above(raise));
        self.change(lower, -move_by, move_by == self.room_below(lower));
        self.compare(lower.row);
        if let (Some(raised), Some(lowered)) = (&self.similar[raise.row], &self.similar[lower.row])
        {
            for (sum, (up, down)) in self.sums.iter_mut().zip(raised.iter().zip(lowered)) {
                *sum += move_by * (up - down);
            }
        }
    }

    /// Changes a row's weight through a multiplier; at its end it takes the bound itself and not what rounding makes of it.
    fn change(&mut self, pull: Pull, by: f64, to_the_end: bool) {
        let change = by * pull.sign;
        let bound = if change > 0.0 { self.settings.c } else { 0.0 };
        let multiplier = &mut self.multipliers[pull.row][usize::from(pull.sign < 0.0)];
        *multiplier = if to_the_end { bound } else { *multiplier + change };
    }

    /// Sees to it that a row has been compared with all.
    fn compare(&mut self, row: usize) {
        if self.similar[row].is_none() {
            let width = self.rows.width;
            let this = &self.rows.values[row * width..(row + 1) * width];
            let all = self.rows.values.chunks_exact(width);
            self.similar[row] =
                Some(all.map(|other| self.function.similarity(this, other)).collect());
        }
    }

    /// How fast the pressures of two rows, of which the first has been compared, meet.
    fn curvature(&self, row: usize, other: usize) -> f64 {
        let between = self.similar[row].as_ref().map_or(0.0, |similar| similar[other]);
        (self.own[row] + self.own[other] - 2.0 * between).max(CURVATURE_MIN)
    }

    /// The mean pressure of multipliers that are between their bounds; else the middle of what the others allow.
    fn bias(&self) -> f64 {
        let within = |pull: &Pull| self.room_above(*pull) > 0.0 && self.room_below(*pull) > 0.0;
        let free: Vec<f64> = self.pulls().filter(within).map(|pull| self.pressure(pull)).collect();
        if !free.is_empty() {
            return free.iter().sum::<f64>() / free.len() as f64;
        }
        let (mut least, mut most) = (f64::NEG_INFINITY, f64::INFINITY);
        for pull in self.pulls() {
            if self.room_above(pull) > 0.0 {
                least = least.max(self.pressure(pull));
            } else {
                most = most.min(self.pressure(pull));
            }
        }
        f64::midpoint(least, most)
    }
}

impl SvrKernel {
    fn function(self, rows: Rows<'_>) -> KernelFunction {
        match self {
            Self::Linear => KernelFunction::Linear,
            Self::Rbf { gamma } => KernelFunction::Rbf { gamma: gamma.of(rows) },
            Self::Poly { gamma, degree, coef0 } => {
                KernelFunction::Polynomial { gamma: gamma.of(rows), coef0, degree: degree as f64 }
            }
            Self::Sigmoid { gamma, coef0 } => {
                KernelFunction::Sigmoid { gamma: gamma.of(rows), coef0 }
            }
        }
    }
}

impl Gamma {
    /// The number that it stands for, as scikit-learn has it.
    fn of(self, rows: Rows<'_>) -> f64 {
        let auto = 1.0 / rows.width as f64;
        match self {
            Self::Value(gamma) => gamma,
            Self::Auto => auto,
            Self::Scale => {
                let count = rows.values.len() as f64;
                let mean = rows.values.iter().sum::<f64>() / count;
                let variance =
                    rows.values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
                if variance == 0.0 { 1.0 } else { auto / variance }
            }
        }
    }
}
