//! The square root, in one instruction on every platform.
//!
//! The root is exact to the last bit by its standard, so every way to it gives the same bits. `libm` knows the
//! instruction of most processors, but on WebAssembly it falls back to a computation that takes ten times as long:
//! the plain instruction is not open to stable Rust. The one for a pair of numbers is.

/// The square root of `x`.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) fn sqrt(x: f64) -> f64 {
    use core::arch::wasm32::{f64x2_extract_lane, f64x2_splat, f64x2_sqrt};
    f64x2_extract_lane::<0>(f64x2_sqrt(f64x2_splat(x)))
}

/// The square root of `x`.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) fn sqrt(x: f64) -> f64 {
    libm::sqrt(x)
}
