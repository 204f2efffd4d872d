//! Windows that frames of a signal are weighed with, by SciPy's names.

use std::f64::consts::PI;

use crate::base::Result;
use crate::layers::config::{Config, Json};
use crate::layers::numbers::numbers;

/// The setting `window`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SignalWindow {
    /// No window: every element counts.
    None,
    Named(&'static str),
    Values(Vec<f64>),
}

/// Weights of a sum of cosines of whole turns, with alternating signs.
const COSINES: &[(&str, &[f64])] = &[
    ("hann", &[0.5, 0.5]),
    ("hamming", &[0.54, 0.46]),
    ("blackman", &[0.42, 0.5, 0.08]),
    ("blackmanharris", &[0.35875, 0.48829, 0.14128, 0.01168]),
    ("nuttall", &[0.363_581_9, 0.489_177_5, 0.136_599_5, 0.010_641_1]),
    ("flattop", &[0.215_578_95, 0.416_631_58, 0.277_263_158, 0.083_578_947, 0.006_947_368]),
];

/// Weight at `x` from -1 to 1, where 1 is one half of the window away from its middle, and at the same place
/// counted as elements from the middle, for windows of `n` elements.
type Shape = fn(x: f64, from_middle: f64, n: f64) -> f64;

const SHAPES: &[(&str, Shape)] = &[
    ("boxcar", |_, _, _| 1.0),
    ("bartlett", |x, _, _| 1.0 - x.abs()),
    ("triang", |_, d, n| {
        // An even number of elements has no middle one.
        let reach = if n % 2.0 == 0.0 { n } else { n + 1.0 };
        1.0 - 2.0 * d.abs() / reach
    }),
    ("parzen", |_, d, n| {
        let (d, half) = (d.abs(), n / 2.0);
        let share = d / half;
        match d <= (n - 1.0) / 4.0 {
            true => 1.0 - 6.0 * share.powi(2) + 6.0 * share.powi(3),
            false => 2.0 * (1.0 - share).powi(3),
        }
    }),
    ("bohman", |x, _, _| {
        let x = x.abs();
        if x < 1.0 { (1.0 - x) * (PI * x).cos() + (PI * x).sin() / PI } else { 0.0 }
    }),
    ("barthann", |x, _, _| 0.62 - 0.48 * (x / 2.0).abs() + 0.38 * (PI * x).cos()),
    ("cosine", |_, d, n| (PI * d / n).cos()),
    ("lanczos", |x, _, _| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }),
    ("exponential", |_, d, _| (-d.abs()).exp()),
    ("tukey", |x, _, _| {
        let edge = x.abs();
        if edge <= 0.5 { 1.0 } else { 0.5 * (1.0 + (PI * (2.0 * edge - 1.0)).cos()) }
    }),
];

/// Short names of SciPy.
const ALIASES: &[(&str, &str)] = &[
    ("hanning", "hann"),
    ("han", "hann"),
    ("hamm", "hamming"),
    ("ham", "hamming"),
    ("black", "blackman"),
    ("blk", "blackman"),
    ("blackharr", "blackmanharris"),
    ("bkh", "blackmanharris"),
    ("nutt", "nuttall"),
    ("nut", "nuttall"),
    ("flat", "flattop"),
    ("flt", "flattop"),
    ("box", "boxcar"),
    ("ones", "boxcar"),
    ("rect", "boxcar"),
    ("rectangular", "boxcar"),
    ("bart", "bartlett"),
    ("brt", "bartlett"),
    ("triangle", "triang"),
    ("tri", "triang"),
    ("parz", "parzen"),
    ("par", "parzen"),
    ("bman", "bohman"),
    ("bmn", "bohman"),
    ("brthan", "barthann"),
    ("bth", "barthann"),
    ("halfcosine", "cosine"),
    ("sinc", "lanczos"),
    ("poisson", "exponential"),
    ("tuk", "tukey"),
];

impl SignalWindow {
    /// The setting under the key `window`: a name, the elements, or null.
    ///
    /// # Errors
    /// If the name is not one of SciPy's that need no further number.
    pub fn from_config(config: &Config) -> Result<SignalWindow> {
        match config.get("window") {
            Json::Null => Ok(SignalWindow::None),
            Json::String(name) => {
                let name = ALIASES.iter().find(|(short, _)| short == name).map_or(&**name, |a| a.1);
                let names = COSINES.iter().map(|row| row.0).chain(SHAPES.iter().map(|row| row.0));
                let known = names.into_iter().find(|known| *known == name);
                let expected = "a window of SciPy without parameters";
                known.map(SignalWindow::Named).ok_or_else(|| config.bad("window", expected))
            }
            _ => Ok(SignalWindow::Values(numbers(config, "window")?.iter_f64().collect())),
        }
    }

    /// The weights of `n` elements; of a periodic window, one more would follow that is not there. `None` for
    /// a window with another number of elements.
    pub fn weights(&self, n: usize, periodic: bool) -> Option<Vec<f64>> {
        let name = match self {
            SignalWindow::None => return Some(vec![1.0; n]),
            SignalWindow::Values(values) => return (values.len() == n).then(|| values.clone()),
            SignalWindow::Named(name) => *name,
        };
        if n < 2 {
            return Some(vec![1.0; n]);
        }
        let whole = (if periodic { n + 1 } else { n }) as f64;
        let last = whole - 1.0;
        let cosines = COSINES.iter().find(|row| row.0 == name);
        let shape = SHAPES.iter().find(|row| row.0 == name);
        let weight = |i: usize| {
            let angle = 2.0 * PI * i as f64 / last;
            let from_middle = i as f64 - last / 2.0;
            if let Some((_, terms)) = cosines {
                let sign = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
                let terms = terms.iter().enumerate();
                return terms.map(|(k, a)| a * sign(k) * (k as f64 * angle).cos()).sum();
            }
            shape.map_or(1.0, |(_, f)| f(2.0 * from_middle / last, from_middle, whole))
        };
        Some((0..n).map(weight).collect())
    }
}
