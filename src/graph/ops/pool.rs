//! Pooling over windows and its gradient.

use crate::base::{Error, Result, Shape, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// What a window gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolMode {
    /// The largest element; padding counts as minus infinity.
    Max,
    /// The mean of the elements that are not padding.
    Average,
}

/// `[N, D, H, W, C] → [N, D', H', W', C]`, one window at a time, channels apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// What a window gives.
    pub mode: PoolMode,
    /// Number of examples.
    pub batch: usize,
    /// Depth, height and width of `x`.
    pub input: [usize; 3],
    /// Channels of `x` and of `y`.
    pub channels: usize,
    /// Depth, height and width of `y`.
    pub output: [usize; 3],
    /// Depth, height and width of a window.
    pub window: [usize; 3],
    /// Steps of the window along each axis.
    pub stride: [usize; 3],
    /// Elements of padding in front of each axis.
    pub pad: [usize; 3],
}

/// Gradient of [`Pool`]: inputs `x` and `dy`, gives `dx`. For `Max` the gradient of a window goes to
/// its first maximum.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolGrad {
    /// The pooling whose gradient it is.
    pub pool: Pool,
}

impl Pool {
    /// Shape of `x`: `[N, D, H, W, C]`.
    pub fn x_shape(&self) -> Shape {
        let [d, h, w] = self.input;
        Shape::from([self.batch, d, h, w, self.channels])
    }

    /// Shape of `y`: `[N, D', H', W', C]`.
    pub fn y_shape(&self) -> Shape {
        let [d, h, w] = self.output;
        Shape::from([self.batch, d, h, w, self.channels])
    }

    /// Calls `f(y, positions in x)` for every output element; positions are in window order.
    fn for_each_window(&self, mut f: impl FnMut(usize, &[usize])) {
        let [od, oh, ow] = self.output;
        let mut positions = Vec::new();
        for y in 0..self.y_shape().len() {
            let (channel, o) = (y % self.channels, y / self.channels);
            let at = [o / ow / oh % od, o / ow % oh, o % ow];
            let n = o / ow / oh / od;
            positions.clear();
            self.for_each_tap(at, |[d, h, w]| {
                let [id, ih, iw] = self.input;
                positions.push((((n * id + d) * ih + h) * iw + w) * self.channels + channel);
            });
            f(y, &positions);
        }
    }

    fn for_each_tap(&self, at: [usize; 3], mut f: impl FnMut([usize; 3])) {
        let [kd, kh, kw] = self.window;
        for tap in 0..kd * kh * kw {
            let k = [tap / kw / kh, tap / kw % kh, tap % kw];
            let along = |i: usize| {
                let reach = at[i] * self.stride[i] + k[i];
                reach.checked_sub(self.pad[i]).filter(|&p| p < self.input[i])
            };
            if let (Some(d), Some(h), Some(w)) = (along(0), along(1), along(2)) {
                f([d, h, w]);
            }
        }
    }

    fn check(&self, x: &Spec) -> Result<()> {
        let fits = x.shape == self.x_shape() && x.dtype.is_float();
        if !fits || self.window.contains(&0) || self.stride.contains(&0) {
            return Err(Error::shape(
                format!("pool window {:?} stride {:?}", self.window, self.stride),
                x.to_string(),
                format!("floats of shape {}, positive window and stride", self.x_shape()),
            ));
        }
        Ok(())
    }
}

/// Position of the first maximum; a NaN wins.
fn first_max(x: &[f32], positions: &[usize]) -> Option<usize> {
    let wins = |a: f32, b: f32| !b.is_nan() && (a.is_nan() || a > b);
    positions.iter().copied().reduce(|best, p| if wins(x[p], x[best]) { p } else { best })
}

impl OpDef for Pool {
    fn label(&self) -> String {
        format!("pool {:?} window {:?} stride {:?}", self.mode, self.window, self.stride)
            .to_lowercase()
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        self.check(inputs[0])?;
        Ok(Spec::new(self.y_shape(), inputs[0].dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let op = PoolGrad { pool: self.clone() };
        vec![Some(cx.grad.graph().push(op.into(), &[cx.inputs[0].id(), cx.grad.id()]))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let x = inputs[0].as_f32();
        let mut words = vec![0.0f32; output.shape.len()];
        self.for_each_window(|y, positions| {
            words[y] = match self.mode {
                PoolMode::Max => first_max(x, positions).map_or(f32::NEG_INFINITY, |p| x[p]),
                PoolMode::Average => {
                    let sum: f64 = positions.iter().map(|&p| f64::from(x[p])).sum();
                    (sum / positions.len() as f64) as f32
                }
            }
        });
        Ok(crate::graph::array(output.clone(), Words::F32(words)))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Anchor
    }
}

impl OpDef for PoolGrad {
    fn label(&self) -> String {
        format!("grad of {}", self.pool.label())
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        self.pool.check(inputs[0])?;
        if inputs[1].shape != self.pool.y_shape() || inputs[1].dtype != inputs[0].dtype {
            let expected = self.pool.y_shape().to_string();
            return Err(Error::shape(self.label(), inputs[1].to_string(), expected));
        }
        Ok(inputs[0].clone())
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        if self.pool.mode == PoolMode::Max {
            cx.grad.graph().fail(Error::Unsupported("second derivative of max pooling".into()));
            return vec![None, None];
        }
        vec![None, Some(cx.grad.graph().push(self.pool.clone().into(), &[cx.grad.id()]))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let (x, dy) = (inputs[0].as_f32(), inputs[1].as_f32());
        let mut sums = vec![0.0f64; output.shape.len()];
        self.pool.for_each_window(|y, positions| match self.pool.mode {
            PoolMode::Max => {
                if let Some(p) = first_max(x, positions) {
                    sums[p] += f64::from(dy[y]);
                }
            }
            PoolMode::Average => {
                let part = f64::from(dy[y]) / positions.len() as f64;
                positions.iter().for_each(|&p| sums[p] += part);
            }
        });
        let words = Words::F32(sums.into_iter().map(|x| x as f32).collect());
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Anchor
    }
}
