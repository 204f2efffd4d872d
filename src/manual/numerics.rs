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
//! | `cbrt` | -3e38 to 3e38 | 1.0e-7 |
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
//! * The remainder of floats is exact, by long division; the quotient rounded down is so below 2^22.
//!
//! # Whole operations
//!
//! What operations of `keras.ops` give, against the same formula in double precision: the largest
//! error relative to the result and in units in the last place, rounded up, on the host executor and
//! on a software GPU (lavapipe), and beside them the units by which Keras errs on JAX in float32. Rows
//! of composites have 32 elements. Results below the smallest normal number are left out; with a † sums
//! cancel, and errors are relative to 1 where results are smaller. The probabilities of
//! `binary_crossentropy` end 1e-7 below 1, which float32 rounds. `tests/numerics.rs` holds the
//! columns of relative errors to this, and writes the table anew with `KERAUNOS_BLESS=1`.
//!
//! | operation | host | units | software GPU | units | Keras, units |
//! | --- | --- | --- | --- | --- | --- |
//! | `abs` | exact | 0 | exact | 0 | 0 |
//! | `arccos` | 7.0e-8 | 0.5 | 1.0e-7 | 1 | 1.5 |
//! | `arccosh` | 7.0e-8 | 0.5 | 1.5e-7 | 1 | 1 |
//! | `arcsin` | 7.0e-8 | 0.5 | 1.5e-7 | 1.5 | 1.5 |
//! | `arcsinh` | 7.0e-8 | 0.5 | 7.0e-8 | 1 | 1 |
//! | `arctan` | 5.0e-8 | 0.5 | 1.0e-7 | 1 | 0.5 |
//! | `arctanh` | 7.0e-8 | 0.5 | 7.0e-8 | 0.7 | 2 |
//! | `cbrt` | 7.0e-8 | 0.5 | 7.0e-8 | 0.7 | 0.7 |
//! | `ceil` | exact | 0 | exact | 0 | 0 |
//! | `celu`† | 3.0e-8 | 0.3 | 5.0e-8 | 0.3 | 0.5 |
//! | `cos`† | 3.0e-8 | 0.3 | 7.0e-8 | 0.5 | 0.3 |
//! | `cosh` | 7.0e-8 | 0.5 | 1.5e-7 | 1 | 30 |
//! | `deg2rad` | 7.0e-8 | 0.7 | 7.0e-8 | 0.7 | 0.7 |
//! | `elu` | 5.0e-8 | 0.5 | 7.0e-8 | 0.7 | 3 |
//! | `erf` | 1.0e-7 | 1 | 1.0e-7 | 1 | 2 |
//! | `erfc` | 7.0e-8 | 0.5 | 3.0e-7 | 3 | 50 |
//! | `erfinv` | 7.0e-8 | 0.5 | 2.0e-7 | 3 | 3 |
//! | `exp` | 7.0e-8 | 0.7 | 1.5e-7 | 1.5 | 0.7 |
//! | `exp2` | 2.0e-6 | 30 | 2.0e-6 | 30 | 30 |
//! | `expm1` | 5.0e-8 | 0.5 | 7.0e-8 | 0.7 | 3 |
//! | `fabs` | exact | 0 | exact | 0 | 0 |
//! | `floor` | exact | 0 | exact | 0 | 0 |
//! | `gelu`† | 7.0e-8 | 1 | 7.0e-8 | 1 | 2 |
//! | `hard_shrink` | exact | 0 | exact | 0 | 0 |
//! | `hard_sigmoid` | 1.0e-7 | 1 | 1.0e-7 | 1 | 1.5 |
//! | `hard_silu` | 1.5e-7 | 1.5 | 1.5e-7 | 1.5 | 1.5 |
//! | `hard_tanh` | exact | 0 | exact | 0 | 0 |
//! | `i0` | 7.0e-8 | 0.5 | 5.0e-7 | 7 | 5 |
//! | `isfinite` | exact | 0 | exact | 0 | 0 |
//! | `isinf` | exact | 0 | exact | 0 | 0 |
//! | `isnan` | exact | 0 | exact | 0 | 0 |
//! | `isneginf` | exact | 0 | exact | 0 | 0 |
//! | `isposinf` | exact | 0 | exact | 0 | 0 |
//! | `leaky_relu` | 1.0e-7 | 0.7 | 1.0e-7 | 0.7 | 0.7 |
//! | `log` | 7.0e-8 | 0.7 | 7.0e-8 | 0.7 | 0.7 |
//! | `log10` | 1.0e-7 | 1.5 | 1.0e-7 | 1.5 | 2 |
//! | `log1p` | 7.0e-8 | 0.5 | 1.5e-7 | 2 | 0.5 |
//! | `log2` | 1.0e-7 | 1.5 | 1.0e-7 | 1.5 | 1.5 |
//! | `log_sigmoid` | 1.0e-7 | 1.5 | 1.5e-7 | 2 | 2 |
//! | `logical_not` | exact | 0 | exact | 0 | 0 |
//! | `negative` | exact | 0 | exact | 0 | 0 |
//! | `rad2deg` | 7.0e-8 | 0.7 | 7.0e-8 | 0.7 | 0.7 |
//! | `reciprocal` | 7.0e-8 | 0.5 | 7.0e-8 | 0.5 | 0.5 |
//! | `relu` | exact | 0 | exact | 0 | 0 |
//! | `relu6` | exact | 0 | exact | 0 | 0 |
//! | `round` | exact | 0 | exact | 0 | 0 |
//! | `rsqrt` | 1.0e-7 | 1.5 | 1.0e-7 | 1.5 | 1 |
//! | `selu` | 1.5e-7 | 1.5 | 1.0e-7 | 1.5 | 3 |
//! | `sigmoid` | 1.5e-7 | 1.5 | 1.5e-7 | 2 | 2 |
//! | `sign` | exact | 0 | exact | 0 | 0 |
//! | `signbit` | exact | 0 | exact | 0 | 0 |
//! | `silu`† | 1.0e-7 | 1.5 | 1.0e-7 | 1.5 | 1.5 |
//! | `sin`† | 3.0e-8 | 0.3 | 7.0e-8 | 0.7 | 0.3 |
//! | `sinc`† | 1.0e-7 | 0.7 | 1.0e-7 | 0.7 | 0.7 |
//! | `sinh` | 7.0e-8 | 0.5 | 1.5e-7 | 1.5 | 30 |
//! | `soft_shrink` | exact | 0 | exact | 0 | 0 |
//! | `softplus` | 1.0e-7 | 1.5 | 1.5e-7 | 2 | 2 |
//! | `softsign` | 1.0e-7 | 1.5 | 1.0e-7 | 1.5 | 1.5 |
//! | `sparse_plus` | 1.5e-7 | 2 | 1.5e-7 | 2 | 2 |
//! | `sparse_sigmoid` | 7.0e-8 | 0.5 | 7.0e-8 | 0.5 | 0.5 |
//! | `sqrt` | 7.0e-8 | 0.5 | 7.0e-8 | 0.5 | 0.5 |
//! | `square` | 7.0e-8 | 0.5 | 7.0e-8 | 0.5 | 0.5 |
//! | `squareplus`† | 1.5e-6 | 15 | 1.5e-6 | 15 | 15 |
//! | `tan`† | 7.0e-8 | 0.5 | 1.5e-7 | 2 | 0.7 |
//! | `tanh` | 5.0e-8 | 0.5 | 5.0e-8 | 0.5 | 5 |
//! | `tanh_shrink`† | 5.0e-8 | 0.5 | 5.0e-8 | 0.5 | 1.5 |
//! | `trunc` | exact | 0 | exact | 0 | 0 |
//! | `add` | 5.0e-8 | 0.5 | 5.0e-8 | 0.5 | 0.5 |
//! | `arctan2` | 7.0e-8 | 0.5 | 1.0e-7 | 1.5 | 1 |
//! | `binary_crossentropy`† | 1.5e-2 | 150000 | 1.5e-2 | 150000 | 150000 |
//! | `divide` | 7.0e-8 | 0.5 | 7.0e-8 | 0.5 | 0.5 |
//! | `divide_no_nan` | 7.0e-8 | 0.5 | 7.0e-8 | 0.5 | 0.5 |
//! | `equal` | exact | 0 | exact | 0 | 0 |
//! | `floor_divide`† | exact | 0 | exact | 0 | 0 |
//! | `fmax` | exact | 0 | exact | 0 | 0 |
//! | `fmin` | exact | 0 | exact | 0 | 0 |
//! | `fmod`† | exact | 0 | exact | 0 | 0 |
//! | `greater` | exact | 0 | exact | 0 | 0 |
//! | `greater_equal` | exact | 0 | exact | 0 | 0 |
//! | `heaviside` | exact | 0 | exact | 0 | 0 |
//! | `hypot` | 1.5e-7 | 1.5 | 1.5e-7 | 1.5 | 1.5 |
//! | `less` | exact | 0 | exact | 0 | 0 |
//! | `less_equal` | exact | 0 | exact | 0 | 0 |
//! | `logaddexp`† | 7.0e-8 | 0.7 | 7.0e-8 | 0.7 | 0.7 |
//! | `logaddexp2`† | 1.0e-7 | 1 | 1.5e-7 | 1.5 | 1 |
//! | `logical_and` | exact | 0 | exact | 0 | 0 |
//! | `logical_or` | exact | 0 | exact | 0 | 0 |
//! | `logical_xor` | exact | 0 | exact | 0 | 0 |
//! | `maximum` | exact | 0 | exact | 0 | 0 |
//! | `minimum` | exact | 0 | exact | 0 | 0 |
//! | `mod`† | 5.0e-8 | 0.5 | 5.0e-8 | 0.5 | 0.5 |
//! | `multiply` | 5.0e-8 | 0.5 | 5.0e-8 | 0.5 | 0.5 |
//! | `not_equal` | exact | 0 | exact | 0 | 0 |
//! | `power` | 7.0e-8 | 0.5 | 1.0e-7 | 1 | 0.5 |
//! | `subtract` | 5.0e-8 | 0.5 | 5.0e-8 | 0.5 | 0.5 |
//! | `true_divide` | 7.0e-8 | 0.5 | 7.0e-8 | 0.5 | 0.5 |
//! | `softmax` | 1.0e-6 | 10 | 1.0e-6 | 10 | 15 |
//! | `log_softmax`† | 1.5e-7 | 1.5 | 1.5e-7 | 1.5 | 3 |
//! | `sparsemax` | exact | 0 | exact | 0 | 0 |
//! | `logsumexp` | 5.0e-8 | 0.5 | 5.0e-8 | 0.5 | 1 |
//! | `sum`† | 5.0e-8 | 0.5 | 7.0e-7 | 7 | 10 |
//! | `mean`† | 5.0e-8 | 0.5 | 1.5e-7 | 1 | 1 |
//! | `var` | 7.0e-8 | 0.7 | 1.5e-7 | 2 | 3 |
//! | `std` | 7.0e-8 | 1 | 1.0e-7 | 1.5 | 1.5 |
//! | `prod` | 1.5e-6 | 30 | 2.0e-6 | 20 | 30 |
//! | `norm_2` | 1.0e-7 | 0.7 | 7.0e-8 | 1 | 1 |
//! | `norm_1` | 7.0e-8 | 0.5 | 7.0e-8 | 1.5 | 2 |
//! | `normalize` | 1.5e-7 | 2 | 1.5e-7 | 2 | 3 |
//! | `cumsum`† | 1.5e-6 | 15 | 1.5e-6 | 15 | 30 |
//! | `layer_normalization`† | 2.0e-7 | 2 | 1.5e-7 | 2 | 3 |
//! | `rms_normalization` | 1.5e-7 | 2 | 1.5e-7 | 1.5 | 3 |
//! | `matmul`† | 3.0e-6 | 30 | 3.0e-6 | 30 | 20 |
//! | `logcumsum` | 7.0e-8 | 1 | 1.0e-7 | 1.5 | 2 |
//! | `average`† | 1.5e-7 | 1.5 | 1.5e-7 | 1.5 | 5 |
//!
//! <!-- end of the operations -->
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
