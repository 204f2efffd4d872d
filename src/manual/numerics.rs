//! How exact the numbers are, and where devices differ.
//!
//! # What is computed in what
//!
//! Every element is computed in a 32-bit word: floats in float32, integers in int32 or uint32. A
//! dtype that is narrower than its word is rounded after each operation, to nearest even for
//! floats, so that a float16 result does not depend on how a device keeps it. Float64 is computed
//! in float32. The host evaluation of each operation computes in double precision and rounds once;
//! it is what tests compare devices with.
//!
//! # The elementary functions on devices
//!
//! WGSL allows its own functions errors of thousands of units in the last place, and drivers use
//! that. The functions below are therefore our own, in `shaders/lib/math.wgsl` and its imports. The table gives the
//! largest error over some 200,000 arguments each, measured on a software adapter (lavapipe) and
//! rounded up. Errors are relative to the result where nothing else is said; 6e-8 is what rounding
//! to float32 alone costs. `tests/math.rs` holds the table to this, and writes it anew with
//! `KERAUNOS_BLESS=1`. No other device has been measured; one that
//! divides or takes roots less exactly (WGSL allows 2.5 units) adds to these.
//!
//! | function | arguments | error at most |
//! | --- | --- | --- |
//! | `acos` | -1.0 to 1.0 | 1.5e-7 |
//! | `acosh` | 1.0 to 1e38 | 2.0e-7 |
//! | `asin` | -1.0 to 1.0 | 3.0e-7 |
//! | `asinh` | -1e38 to 1e38 | 2.0e-7 |
//! | `atan` | -1e38 to 1e38 | 1.5e-7 |
//! | `atan2` | both from -1e30 to 1e30 | 2.0e-7 |
//! | `atanh` | -1.0 to 1.0 | 1.5e-7 |
//! | `cos` | -10000 to 10000, absolute | 1.0e-7 |
//! | `cosh` | -89.0 to 89.0 | 1.5e-7 |
//! | `erf` | -10.0 to 10.0 | 1.0e-7 |
//! | `erfc` | -10.0 to 9.0 | 5.0e-7 |
//! | `erfinv` | -1.0 to 1.0 | 3.0e-7 |
//! | `exp` | -87.0 to 88.7 | 1.5e-7 |
//! | `expm1` | -100.0 to 88.7 | 1.5e-7 |
//! | `i0` | -90.0 to 90.0 | 7.0e-7 |
//! | `i1` | -90.0 to 90.0 | 1.0e-6 |
//! | `log` | 1e-37 to 3e38 | 1.0e-7 |
//! | `log1p` | -0.999999 to 3e38 | 3.0e-7 |
//! | `pow` | `a` from 1e-37 to 1e38, results from 1e-37 to 1e37 | 1.5e-7 |
//! | `recip` | 1e-37 to 1e37 | 7.0e-8 |
//! | `rsqrt` | 1e-37 to 1e38 | 1.0e-7 |
//! | `sigmoid` | -87.0 to 100.0 | 2.0e-7 |
//! | `sin` | -10000 to 10000, absolute | 1.0e-7 |
//! | `sinh` | -89.0 to 89.0 | 1.5e-7 |
//! | `sqrt` | 1e-37 to 1e38 | 7.0e-8 |
//! | `tan` | -1.5 to 1.5 | 3.0e-7 |
//! | `tanh` | -100.0 to 100.0 | 1.5e-7 |
//!
//! <!-- end of the table -->
//!
//! * `sin`, `cos` and `tan` take the argument's distance to a multiple of π / 2 in three steps. The
//!   absolute error of `sin` and `cos` is as above up to 1e4, 1e-6 up to 1e5 and 0.06 up to 1e6; from
//!   1e7 on nothing is left of it but that the result lies within -1 and 1.
//! * Overflow gives an infinity, `log(0)` is minus infinity, and what is not defined is NaN, as on
//!   the host. `pow` and `atan2` follow C in every special case, `mod` and `floor_div` follow Python.
//! * Results below 1.2e-38 may be zero: devices may flush subnormal numbers.
//! * The remainder of floats is as exact as the device's `fma`, which WGSL allows to round twice.
//!
//! # NaN
//!
//! Compilers may assume that there are no NaNs: on two software adapters `x != x` is false for a
//! NaN, and `max(x, 0)` turns it into 0. All tests for NaN are by bit pattern. `max` and `min` give
//! NaN when either side is one, comparisons with one are false (`ne` is true).
//!
//! # Integers
//!
//! Sums and products wrap. Division by zero gives 0, as does the remainder; negative powers of
//! integers are 1 for 1 and 0 for all others. Floats out of an integer's range become the nearest
//! integer of that range, NaN becomes 0.
