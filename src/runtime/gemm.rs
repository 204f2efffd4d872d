//! Matrix multiplication on all cores, by the `gemm` crate.

use gemm::Parallelism;

/// A matrix in a slice: element `(r, c)` is at `r · rows + c · columns`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub data: &'a [f32],
    pub row_stride: usize,
    pub column_stride: usize,
}

impl Matrix<'_> {
    /// Whether every element of an `m × n` matrix lies inside the slice.
    fn holds(&self, m: usize, n: usize) -> bool {
        let last = (m - 1)
            .checked_mul(self.row_stride)
            .zip((n - 1).checked_mul(self.column_stride))
            .and_then(|(r, c)| r.checked_add(c));
        last.is_some_and(|last| last < self.data.len())
    }
}

/// `out = a · b` for `a` of `m × k`, `b` of `k × n` and a row-major `out` of `m × n`.
///
/// Operands that do not hold their extents give zeros: callers check shapes first.
pub fn multiply(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, [m, n, k]: [usize; 3]) {
    if m == 0 || n == 0 || k == 0 || out.len() < m * n || !a.holds(m, k) || !b.holds(k, n) {
        debug_assert!(m * n * k == 0, "operands too small for {m} × {n} × {k}");
        out.fill(0.0);
        return;
    }
    multiply_checked(out, a, b, [m, n, k]);
}

#[allow(unsafe_code, reason = "the gemm crate takes pointers; extents are checked by the caller")]
fn multiply_checked(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, [m, n, k]: [usize; 3]) {
    // SAFETY: `multiply` has checked that the largest offset of each operand lies inside its slice
    // and that `out` has `m · n` elements. `out` is borrowed mutably, so it overlaps neither operand.
    // Strides fit isize because slices do.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::Rayon(0),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_transpose() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let (rows, columns) = (
            Matrix { data: &a, row_stride: 3, column_stride: 1 },
            Matrix { data: &a, row_stride: 1, column_stride: 3 },
        );
        let mut out = [0.0; 4];
        multiply(&mut out, rows, columns, [2, 2, 3]);
        assert_eq!(out, [14.0, 32.0, 32.0, 77.0]);
    }
}
