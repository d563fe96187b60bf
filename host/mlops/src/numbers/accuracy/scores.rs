//! Counts by score.

/// Different scores that are kept as they are; more are rounded to a grid.
pub const EXACT_SCORES: usize = 2_048;
/// Classes up to which a multiclass AUC is kept.
pub const AUC_CLASSES: usize = 20;
