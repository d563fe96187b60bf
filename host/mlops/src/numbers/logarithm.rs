//! Logarithms in double-double.
