//! What can learn, and its hyper-parameters: scikit-learn's names, defaults and meanings where scikit-learn has an
//! equivalent. What an algorithm asks for while its settings are read is what it accepts, so that names and errors
//! cannot drift apart.

mod parameters;

use std::{collections::BTreeMap, fmt, str::FromStr};

pub use parameters::ParameterError;
use parameters::{Parameters, Range};

use super::nearest::nearest;

/// The deepest tree of a gradient-boosted model. A tree of 2^32 leaves is none that anybody means, and its form is
/// read by recursion.
pub const BOOSTED_DEPTH_MAX: u64 = 32;
/// The most trees of a model.
pub const TREES_MAX: u64 = 10_000;

/// The name of something that can learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Algorithm {
    Linear,
    Ridge,
    Lasso,
    ElasticNet,
    Svr,
    Knn,
    RandomForest,
    ExtraTrees,
    GradientBoosting,
}

/// An algorithm with its hyper-parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Learner {
    Linear,
    Ridge {
        alpha: f64,
    },
    /// Lasso is the elastic net of `l1_ratio` 1, but another routine.
    Lasso {
        alpha: f64,
        descent: Descent,
    },
    ElasticNet {
        alpha: f64,
        l1_ratio: f64,
        descent: Descent,
    },
    Svr(Svr),
    Knn {
        neighbours: u64,
        distance_weights: bool,
        metric: Metric,
    },
    RandomForest(Forest),
    ExtraTrees(Forest),
    GradientBoosting(Boosting),
}

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Descent {
    pub(super) max_iter: u64,
    /// The largest duality gap that counts as an answer, in units of the target's sum of squares.
    pub(super) tol: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Svr {
    pub(super) c: f64,
    pub(super) epsilon: f64,
    pub(super) tol: f64,
    pub(super) kernel: SvrKernel,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum SvrKernel {
    Linear,
    Rbf { gamma: Gamma },
    Poly { gamma: Gamma, degree: u64, coef0: f64 },
    Sigmoid { gamma: Gamma, coef0: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Gamma {
    /// `1 / (columns * variance of all values)`
    Scale,
    /// `1 / columns`
    Auto,
    Value(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    Euclidean,
    Manhattan,
    Minkowski(u16),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Forest {
    pub(super) trees: u64,
    pub(super) max_depth: Option<u64>,
    pub(super) min_samples_split: u64,
    pub(super) min_samples_leaf: u64,
    pub(super) max_features: MaxFeatures,
}

/// How many columns each split looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum MaxFeatures {
    Share(f64),
    Count(u64),
    Sqrt,
    Log2,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Boosting {
    pub(super) trees: u64,
    pub(super) learning_rate: f64,
    pub(super) max_depth: u64,
    pub(super) min_samples_leaf: u64,
    pub(super) subsample: f64,
}

/// A name that is no algorithm's.
#[derive(Debug, thiserror::Error)]
#[error("choose an algorithm: `{name}` is none of {}{}", Algorithm::names(), nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
pub struct UnknownAlgorithm {
    /// The name.
    name: String,
    /// The name that is most like it.
    nearest: Option<String>,
}

impl Algorithm {
    /// All of them, in the order in which `auto` tries them.
    pub const ALL: [Self; 9] = [
        Self::Linear,
        Self::Ridge,
        Self::Lasso,
        Self::ElasticNet,
        Self::Svr,
        Self::Knn,
        Self::RandomForest,
        Self::ExtraTrees,
        Self::GradientBoosting,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Ridge => "ridge",
            Self::Lasso => "lasso",
            Self::ElasticNet => "elastic-net",
            Self::Svr => "svr",
            Self::Knn => "knn",
            Self::RandomForest => "random-forest",
            Self::ExtraTrees => "extra-trees",
            Self::GradientBoosting => "gradient-boosting",
        }
    }

    /// The algorithm of a learner.
    pub(super) fn of(learner: &Learner) -> Self {
        match learner {
            Learner::Linear => Self::Linear,
            Learner::Ridge { .. } => Self::Ridge,
            Learner::Lasso { .. } => Self::Lasso,
            Learner::ElasticNet { .. } => Self::ElasticNet,
            Learner::Svr(_) => Self::Svr,
            Learner::Knn { .. } => Self::Knn,
            Learner::RandomForest(_) => Self::RandomForest,
            Learner::ExtraTrees(_) => Self::ExtraTrees,
            Learner::GradientBoosting(_) => Self::GradientBoosting,
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        let nearest = || nearest(name, Self::ALL.into_iter().map(Self::name));
        known.ok_or_else(|| UnknownAlgorithm { name: name.to_owned(), nearest: nearest() })
    }
}

impl Learner {
    /// The learner that was asked for, and all its parameters, given or defaulted.
    pub(super) fn new(
        algorithm: Algorithm,
        given: &BTreeMap<String, String>,
    ) -> Result<(Self, BTreeMap<String, String>), ParameterError> {
        let mut p = Parameters::new(algorithm, given);
        let learner = match algorithm {
            Algorithm::Linear => Self::Linear,
            Algorithm::Ridge => Self::Ridge { alpha: p.real("alpha", 1.0, Range::AtLeast(0.0))? },
            Algorithm::Lasso => Self::Lasso {
                alpha: p.real("alpha", 1.0, Range::Above(0.0))?,
                descent: Descent::new(&mut p)?,
            },
            Algorithm::ElasticNet => Self::ElasticNet {
                alpha: p.real("alpha", 1.0, Range::Above(0.0))?,
                l1_ratio: p.real("l1_ratio", 0.5, Range::Within(0.0, 1.0))?,
                descent: Descent::new(&mut p)?,
            },
            Algorithm::Svr => Self::Svr(Svr::new(&mut p)?),
            Algorithm::Knn => Self::Knn {
                neighbours: p.whole("n_neighbors", 5, 1, u64::from(u32::MAX))?,
                distance_weights: p.choice("weights", &["uniform", "distance"])? == "distance",
                metric: Metric::new(&mut p)?,
            },
            Algorithm::RandomForest => Self::RandomForest(Forest::new(&mut p)?),
            Algorithm::ExtraTrees => Self::ExtraTrees(Forest::new(&mut p)?),
            Algorithm::GradientBoosting => Self::GradientBoosting(Boosting::new(&mut p)?),
        };
        Ok((learner, p.finish()?))
    }
}

impl Descent {
    fn new(p: &mut Parameters<'_>) -> Result<Self, ParameterError> {
        Ok(Self {
            max_iter: p.whole("max_iter", 1000, 1, 1_000_000)?,
            tol: p.real("tol", 1e-4, Range::Above(0.0))?,
        })
    }
}

impl Svr {
    fn new(p: &mut Parameters<'_>) -> Result<Self, ParameterError> {
        let kernel = match p.choice("kernel", &["rbf", "linear", "poly", "sigmoid"])? {
            "linear" => SvrKernel::Linear,
            "poly" => SvrKernel::Poly {
                gamma: Gamma::new(p)?,
                degree: p.whole("degree", 3, 1, 32)?,
                coef0: p.real("coef0", 0.0, Range::Any)?,
            },
            "sigmoid" => SvrKernel::Sigmoid {
                gamma: Gamma::new(p)?,
                coef0: p.real("coef0", 0.0, Range::Any)?,
            },
            _ => SvrKernel::Rbf { gamma: Gamma::new(p)? },
        };
        Ok(Self {
            c: p.real("C", 1.0, Range::Above(0.0))?,
            epsilon: p.real("epsilon", 0.1, Range::AtLeast(0.0))?,
            tol: p.real("tol", 1e-3, Range::Above(0.0))?,
            kernel,
        })
    }
}

impl Gamma {
    fn new(p: &mut Parameters<'_>) -> Result<Self, ParameterError> {
        p.parsed("gamma", "scale", "`scale`, `auto` or a number above 0", |text| match text {
            "scale" => Some(Self::Scale),
            "auto" => Some(Self::Auto),
            number => Range::Above(0.0).parse(number).map(Self::Value),
        })
    }
}

impl Metric {
    fn new(p: &mut Parameters<'_>) -> Result<Self, ParameterError> {
        Ok(match p.choice("metric", &["minkowski", "euclidean", "manhattan"])? {
            "euclidean" => Self::Euclidean,
            "manhattan" => Self::Manhattan,
            _ => match p.whole("p", 2, 1, 64)? {
                1 => Self::Manhattan,
                2 => Self::Euclidean,
                p => Self::Minkowski(p as u16),
            },
        })
    }
}

impl Forest {
    fn new(p: &mut Parameters<'_>) -> Result<Self, ParameterError> {
        Ok(Self {
            trees: p.whole("n_estimators", 100, 1, TREES_MAX)?,
            max_depth: p.parsed(
                "max_depth",
                "none",
                "`none` or a whole number from 1 to 60000",
                |text| match text {
                    "none" | "None" => Some(None),
                    depth => {
                        depth.parse().ok().filter(|depth| (1..=60_000).contains(depth)).map(Some)
                    }
                },
            )?,
            min_samples_split: p.whole("min_samples_split", 2, 2, u64::from(u32::MAX))?,
            min_samples_leaf: p.whole("min_samples_leaf", 1, 1, u64::from(u32::MAX))?,
            max_features: MaxFeatures::new(p)?,
        })
    }
}

impl MaxFeatures {
    fn new(p: &mut Parameters<'_>) -> Result<Self, ParameterError> {
        let form = "`sqrt`, `log2`, a whole number from 1, or a share with a point in it above 0 up to 1.0";
        p.parsed("max_features", "1.0", form, |text| match text {
            "sqrt" => Some(Self::Sqrt),
            "log2" => Some(Self::Log2),
            number => match number.parse::<u64>() {
                Ok(count) => (count > 0).then_some(Self::Count(count)),
                Err(_) => {
                    Range::Above(0.0).parse(number).filter(|share| *share <= 1.0).map(Self::Share)
                }
            },
        })
    }

    /// How many of `columns` columns, as scikit-learn rounds it.
    pub(super) fn of(self, columns: usize) -> usize {
        let count = match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(columns),
            Self::Share(share) => (share * columns as f64) as usize,
            Self::Sqrt => columns.isqrt(),
            Self::Log2 => columns.checked_ilog2().unwrap_or(1) as usize,
        };
        count.clamp(1, columns.max(1))
    }
}

impl Boosting {
    fn new(p: &mut Parameters<'_>) -> Result<Self, ParameterError> {
        Ok(Self {
            trees: p.whole("n_estimators", 100, 1, TREES_MAX)?,
            learning_rate: p.real("learning_rate", 0.1, Range::Above(0.0))?,
            max_depth: p.whole("max_depth", 3, 1, BOOSTED_DEPTH_MAX)?,
            min_samples_leaf: p.whole("min_samples_leaf", 1, 1, u64::from(u32::MAX))?,
            subsample: p.parsed("subsample", "1.0", "a number above 0 up to 1", |text| {
                Range::Above(0.0).parse(text).filter(|share| *share <= 1.0)
            })?,
        })
    }
}

#[cfg(test)]
mod tests;
