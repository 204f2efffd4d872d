//! P·A = L·U with row exchanges.

/// The factors in the place of A `[m, n]`, the row that each step exchanged with its own
/// (`min(m, n)` of them), and the order of rows P (`m`).
pub fn factor(a: &[f32], [m, n]: [usize; 2]) -> Vec<f32> {
    let mut lu: Vec<f64> = a.iter().map(|&x| x.into()).collect();
    let mut order: Vec<usize> = (0..m).collect();
    let mut pivots = Vec::new();
    for j in 0..m.min(n) {
        let mut pivot = j;
        for i in j + 1..m {
            if lu[i * n + j].abs() > lu[pivot * n + j].abs() {
                pivot = i;
            }
        }
        pivots.push(pivot);
        order.swap(j, pivot);
        for k in 0..n {
            lu.swap(j * n + k, pivot * n + k);
        }
        if lu[j * n + j] == 0.0 {
            continue;
        }
        for i in j + 1..m {
            let factor = lu[i * n + j] / lu[j * n + j];
            lu[i * n + j] = factor;
            for k in j + 1..n {
                lu[i * n + k] -= factor * lu[j * n + k];
            }
        }
    }
    let rows = pivots.into_iter().chain(order).map(|row| row as f32);
    lu.into_iter().map(|x| x as f32).chain(rows).collect()
}
