//! A = L·Lᵀ.

/// The lower factor of a symmetric matrix `[n, n]`; NaN where the matrix is not positive definite.
pub fn factor(a: &[f32], n: usize) -> Vec<f32> {
    let mut l = vec![0.0; n * n];
    for j in 0..n {
        for i in j..n {
            let sum: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = f64::from(a[i * n + j]) - sum;
            if i == j && !(rest > 0.0 && rest.is_finite()) {
                return vec![f32::NAN; n * n];
            }
            l[i * n + j] = if i == j { rest.sqrt() } else { rest / l[j * n + j] };
        }
    }
    l.into_iter().map(|x| x as f32).collect()
}
