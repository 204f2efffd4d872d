//! Convolution and its two gradients, as one kind of operation: the same sum with the operands'
//! roles exchanged, so no direction can be forgotten or slow.

use crate::base::{Error, Result, Shape, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// Which of the three tensors is computed from the other two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConvKind {
    /// Inputs `x`, `kernel`; gives `y`.
    Forward,
    /// Inputs `dy`, `kernel`; gives `dx`. Also Keras's transposed convolution.
    InputGrad,
    /// Inputs `x`, `dy`; gives `dkernel`.
    FilterGrad,
}

/// Extents of a convolution, channels last. One and two dimensions are three with leading ones.
/// They always describe the forward convolution, whatever is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    /// Number of examples.
    pub batch: usize,
    /// Depth, height and width of `x`.
    pub input: [usize; 3],
    /// Channels of `x`, those of all groups.
    pub in_channels: usize,
    /// Depth, height and width of `y`.
    pub output: [usize; 3],
    /// Channels of `y`, those of all groups.
    pub out_channels: usize,
    /// Depth, height and width of the kernel, without what dilation puts between.
    pub kernel: [usize; 3],
    /// Steps of the window along each axis.
    pub stride: [usize; 3],
    /// Distance along each axis between neighbours in the kernel; 1 for no gaps.
    pub dilation: [usize; 3],
    /// Zeros in front of each axis; those behind follow from the output's extent.
    pub pad: [usize; 3],
    /// Parts into which the channels fall, each convolved on its own; it divides both counts.
    pub groups: usize,
}

/// `y[n, o, f] = Σ x[n, o·stride − pad + k·dilation, c] · kernel[k, c, f]` and its gradients.
///
/// `x` is `[N, D, H, W, C]`, `kernel` is `[kd, kh, kw, C / groups, F]`, `y` is `[N, D', H', W', F]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conv {
    /// The extents of the forward convolution.
    pub geometry: ConvGeometry,
    /// Which of the three tensors is computed.
    pub kind: ConvKind,
}

impl ConvGeometry {
    /// Shape of `x`: `[N, D, H, W, C]`.
    pub fn x_shape(&self) -> Shape {
        let [d, h, w] = self.input;
        Shape::from([self.batch, d, h, w, self.in_channels])
    }

    /// Shape of `y`: `[N, D', H', W', F]`.
    pub fn y_shape(&self) -> Shape {
        let [d, h, w] = self.output;
        Shape::from([self.batch, d, h, w, self.out_channels])
    }

    /// Shape of the kernel: `[kd, kh, kw, C / groups, F]`.
    pub fn kernel_shape(&self) -> Shape {
        let [d, h, w] = self.kernel;
        Shape::from([d, h, w, self.in_channels / self.groups.max(1), self.out_channels])
    }

    fn check(&self) -> Result<()> {
        let positive = [self.stride, self.dilation, self.kernel].concat();
        let groups = self.groups;
        let mut channels = [self.in_channels, self.out_channels].into_iter();
        let divisible = groups != 0 && channels.all(|n| n.is_multiple_of(groups));
        if positive.contains(&0) || !divisible {
            return Err(Error::shape(
                "convolution",
                format!(
                    "kernel {:?}, stride {:?}, dilation {:?}, {} to {} channels in {groups} groups",
                    self.kernel, self.stride, self.dilation, self.in_channels, self.out_channels
                ),
                "positive extents, and channels divisible by the number of groups",
            ));
        }
        Ok(())
    }

    /// Multiply-adds of one run.
    pub fn multiply_adds(&self) -> u64 {
        let taps = self.kernel.iter().product::<usize>() * self.in_channels / self.groups.max(1);
        self.y_shape().len() as u64 * taps as u64
    }

    /// Calls `f(y, x, kernel)` with the linear positions of every term of the sum.
    fn for_each_term(&self, mut f: impl FnMut(usize, usize, usize)) {
        let [od, oh, ow] = self.output;
        for n in 0..self.batch {
            for o in 0..od * oh * ow {
                let at = [o / ow / oh, o / ow % oh, o % ow];
                self.for_each_tap(at, |tap, position| {
                    let y = (n * od * oh * ow + o) * self.out_channels;
                    let volume: usize = self.input.iter().product();
                    let x = (n * volume + position) * self.in_channels;
                    self.for_each_channel(|c, local, filter| {
                        let per_group = self.in_channels / self.groups;
                        f(
                            y + filter,
                            x + c,
                            (tap * per_group + local) * self.out_channels + filter,
                        );
                    });
                });
            }
        }
    }

    /// Calls `f(tap, position)` for the kernel positions that fall inside the input.
    fn for_each_tap(&self, at: [usize; 3], mut f: impl FnMut(usize, usize)) {
        let [kd, kh, kw] = self.kernel;
        for tap in 0..kd * kh * kw {
            let k = [tap / kw / kh, tap / kw % kh, tap % kw];
            let along = |i: usize| {
                let reach = at[i] * self.stride[i] + k[i] * self.dilation[i];
                reach.checked_sub(self.pad[i]).filter(|&p| p < self.input[i])
            };
            if let (Some(d), Some(h), Some(w)) = (along(0), along(1), along(2)) {
                f(tap, (d * self.input[1] + h) * self.input[2] + w);
            }
        }
    }

    /// Calls `f(channel, channel within its group, filter)` for every pair that is connected.
    fn for_each_channel(&self, mut f: impl FnMut(usize, usize, usize)) {
        let (c, filters) = (self.in_channels / self.groups, self.out_channels / self.groups);
        for group in 0..self.groups {
            for local in 0..c {
                for filter in 0..filters {
                    f(group * c + local, local, group * filters + filter);
                }
            }
        }
    }
}

impl Conv {
    fn shapes(&self) -> ([Shape; 2], Shape) {
        let g = &self.geometry;
        match self.kind {
            ConvKind::Forward => ([g.x_shape(), g.kernel_shape()], g.y_shape()),
            ConvKind::InputGrad => ([g.y_shape(), g.kernel_shape()], g.x_shape()),
            ConvKind::FilterGrad => ([g.x_shape(), g.y_shape()], g.kernel_shape()),
        }
    }

    fn of<'g>(&self, kind: ConvKind, a: Value<'g>, b: Value<'g>) -> Option<Value<'g>> {
        let op = Conv { geometry: self.geometry, kind };
        Some(a.graph().push(op.into(), &[a.id(), b.id()]))
    }
}

impl OpDef for Conv {
    fn label(&self) -> String {
        let g = &self.geometry;
        let kind = match self.kind {
            ConvKind::Forward => "conv",
            ConvKind::InputGrad => "conv_input_grad",
            ConvKind::FilterGrad => "conv_filter_grad",
        };
        let mut text = format!("{kind} {:?} stride {:?}", g.kernel, g.stride);
        if g.dilation != [1; 3] {
            text += &format!(" dilation {:?}", g.dilation);
        }
        if g.groups != 1 {
            text += &format!(" groups {}", g.groups);
        }
        text
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        self.geometry.check()?;
        let (expected, output) = self.shapes();
        let dtype = inputs[0].dtype;
        let fits = inputs.iter().zip(&expected).all(|(i, e)| i.shape == *e && i.dtype == dtype);
        if !fits || !dtype.is_float() {
            return Err(Error::shape(
                self.label(),
                format!("{} and {}", inputs[0], inputs[1]),
                format!("{} and {} of one floating dtype", expected[0], expected[1]),
            ));
        }
        Ok(Spec::new(output, dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let (a, b, g) = (cx.inputs[0], cx.inputs[1], cx.grad);
        match self.kind {
            ConvKind::Forward => {
                vec![self.of(ConvKind::InputGrad, g, b), self.of(ConvKind::FilterGrad, a, g)]
            }
            ConvKind::InputGrad => {
                vec![self.of(ConvKind::Forward, g, b), self.of(ConvKind::FilterGrad, g, a)]
            }
            ConvKind::FilterGrad => {
                vec![self.of(ConvKind::InputGrad, b, g), self.of(ConvKind::Forward, a, g)]
            }
        }
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let (a, b) = (inputs[0].as_f32(), inputs[1].as_f32());
        let mut sums = vec![0.0f64; output.shape.len()];
        self.geometry.for_each_term(|y, x, k| {
            let (to, i, j) = match self.kind {
                ConvKind::Forward => (y, x, k),
                ConvKind::InputGrad => (x, y, k),
                ConvKind::FilterGrad => (k, x, y),
            };
            sums[to] += f64::from(a[i]) * f64::from(b[j]);
        });
        let words = Words::F32(sums.into_iter().map(|x| x as f32).collect());
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Anchor
    }
}
