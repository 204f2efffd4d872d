//! What layers over space share: data formats, paddings, sliding windows.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::graph::ops::{ConvGeometry, ConvKind, Pool, PoolMode};
use crate::layers::config::Config;

/// Where the channels of `(batch, …)` inputs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFormat {
    ChannelsLast,
    ChannelsFirst,
}

impl DataFormat {
    /// The format under the key `data_format`; null is Keras's default, channels last.
    pub fn from_config(config: &Config) -> Result<DataFormat> {
        if config.is_null("data_format") {
            return Ok(DataFormat::ChannelsLast);
        }
        let formats = [
            ("channels_last", DataFormat::ChannelsLast),
            ("channels_first", DataFormat::ChannelsFirst),
        ];
        config.choice("data_format", &formats)
    }

    /// The channel axis, as Keras counts it.
    pub fn channel_axis(self) -> i64 {
        match self {
            DataFormat::ChannelsLast => -1,
            DataFormat::ChannelsFirst => 1,
        }
    }

    /// The first of the spatial axes.
    pub fn first_spatial_axis(self) -> usize {
        match self {
            DataFormat::ChannelsLast => 1,
            DataFormat::ChannelsFirst => 2,
        }
    }

    /// `x` of this format with its channels moved behind the spatial axes.
    pub fn to_last(self, x: Value<'_>) -> Value<'_> {
        let rank = x.rank();
        if self == DataFormat::ChannelsLast || rank < 3 {
            return x;
        }
        x.move_axis(1, rank - 1)
    }

    /// The opposite of [`to_last`](DataFormat::to_last).
    pub fn restore(self, x: Value<'_>) -> Value<'_> {
        let rank = x.rank();
        if self == DataFormat::ChannelsLast || rank < 3 {
            return x;
        }
        x.move_axis(rank - 1, 1)
    }
}

/// What stands around the input of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Nothing: windows stay inside.
    Valid,
    /// As much as gives `ceil(extent / stride)` windows, the odd one behind.
    Same,
    /// In front only, so that no window sees what comes after it.
    Causal,
}

impl Padding {
    /// The padding under the key `padding`.
    pub fn from_config(config: &Config, causal: bool) -> Result<Padding> {
        let all = [("valid", Padding::Valid), ("same", Padding::Same), ("causal", Padding::Causal)];
        config.choice("padding", if causal { &all } else { &all[..2] })
    }
}

/// A window that slides over one to three spatial axes. Missing axes come first, with extent 1.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub rank: usize,
    pub size: [usize; 3],
    pub stride: [usize; 3],
    pub dilation: [usize; 3],
    pub padding: Padding,
}

/// Output extents of a window and the padding in front.
type Placement = ([usize; 3], [usize; 3]);

impl Window {
    /// A window from settings of `rank` numbers each.
    pub fn new(rank: usize, [size, stride, dilation]: [&[usize]; 3], padding: Padding) -> Window {
        let [size, stride, dilation] = [size, stride, dilation].map(three);
        Window { rank, size, stride, dilation, padding }
    }

    /// The spatial extents of the window, as many as it has axes.
    pub fn sizes(&self) -> &[usize] {
        &self.size[3 - self.rank..]
    }

    /// Extent of the dilated window along an axis.
    fn reach(&self, axis: usize) -> Option<usize> {
        (self.size[axis].checked_sub(1)?).checked_mul(self.dilation[axis])?.checked_add(1)
    }

    /// Number of windows and elements of padding in front, along one axis.
    fn place(&self, axis: usize, extent: usize) -> Option<(usize, usize)> {
        let (reach, stride) = (self.reach(axis)?, self.stride[axis]);
        let front = match self.padding {
            Padding::Valid => 0,
            Padding::Causal => reach - 1,
            Padding::Same => {
                let windows = extent.div_ceil(stride);
                let covered = windows.saturating_sub(1).checked_mul(stride)?.checked_add(reach)?;
                return Some((windows, covered.saturating_sub(extent) / 2));
            }
        };
        let room = extent.checked_add(front)?.checked_sub(reach)?;
        Some((room / stride + 1, front))
    }

    fn placement(&self, input: [usize; 3]) -> Result<Placement> {
        let (mut output, mut pad) = ([1; 3], [0; 3]);
        for axis in 0..3 {
            (output[axis], pad[axis]) = self.place(axis, input[axis]).ok_or_else(|| {
                Error::shape(
                    "window",
                    format!("{:?} over extents {input:?}", self.sizes()),
                    "a window that fits into the input",
                )
            })?;
        }
        Ok((output, pad))
    }

    /// Batch, spatial extents and channels of a value `[N, s…, C]`.
    fn split(&self, x: &Shape) -> Result<(usize, [usize; 3], usize)> {
        if x.rank() != self.rank + 2 {
            let expected = format!("a batch, {} spatial axes and channels", self.rank);
            return Err(Error::shape("window", format!("an input of shape {x}"), expected));
        }
        Ok((x[0], three(&x[1..=self.rank]), x[self.rank + 1]))
    }

    /// `[N, s…, C]` from `[N, D, H, W, C]`.
    fn merge<'g>(&self, y: Value<'g>) -> Value<'g> {
        let shape = y.shape();
        let kept = shape.iter().enumerate().filter(|(i, _)| !(1..4 - self.rank).contains(i));
        y.reshape(kept.map(|(_, &d)| d).collect::<Shape>())
    }

    /// Convolution of `x` `[N, s…, C]` with a kernel `[k…, C / groups, F]`; the number of groups
    /// follows from the channels.
    pub fn conv<'g>(&self, x: Value<'g>, kernel: Value<'g>) -> Result<Value<'g>> {
        let (batch, input, in_channels) = self.split(&x.shape())?;
        let (per_group, out_channels) = self.kernel_channels(&kernel.shape())?;
        let groups = in_channels.checked_div(per_group).unwrap_or(0);
        if groups * per_group != in_channels || groups == 0 {
            return Err(Error::shape(
                "convolution",
                format!("{in_channels} input channels for a kernel with {per_group}"),
                "input channels that the kernel's divide",
            ));
        }
        let (output, pad) = self.placement(input)?;
        let geometry = ConvGeometry {
            batch,
            input,
            in_channels,
            output,
            out_channels,
            kernel: self.size,
            stride: self.stride,
            dilation: self.dilation,
            pad,
            groups,
        };
        let (x, kernel) = (x.cast(kernel.dtype()), kernel.reshape(geometry.kernel_shape()));
        Ok(self.merge(x.reshape(geometry.x_shape()).conv(kernel, geometry, ConvKind::Forward)))
    }

    /// Convolution of each channel by itself: a kernel `[k…, C, D]` gives `C · D` channels.
    pub fn depthwise_conv<'g>(&self, x: Value<'g>, kernel: Value<'g>) -> Result<Value<'g>> {
        let shape = kernel.shape();
        let (channels, multiplier) = self.kernel_channels(&shape)?;
        let mut grouped = shape[..self.rank].to_vec();
        grouped.extend([1, channels.saturating_mul(multiplier)]);
        self.conv(x, kernel.reshape(grouped))
    }

    /// Transposed convolution of `x` `[N, s…, C]` with a kernel `[k…, F, C]`, as Keras defines its
    /// output extents: the gradient of a convolution with respect to its input.
    pub fn conv_transpose<'g>(
        &self,
        x: Value<'g>,
        kernel: Value<'g>,
        output_padding: Option<[usize; 3]>,
    ) -> Result<Value<'g>> {
        let (batch, input, channels) = self.split(&x.shape())?;
        let (filters, kernel_channels) = self.kernel_channels(&kernel.shape())?;
        if channels != kernel_channels {
            let expected = format!("{kernel_channels}, as the kernel has");
            let found = format!("{channels} input channels");
            return Err(Error::shape("transposed convolution", found, expected));
        }
        let (mut extents, mut pad) = ([1; 3], [0; 3]);
        for axis in 3 - self.rank..3 {
            let extra = output_padding.map(|p| p[axis]);
            (extents[axis], pad[axis]) =
                self.place_transposed(axis, input[axis], extra).ok_or_else(|| {
                    let found = format!("{:?} over extents {input:?}", self.sizes());
                    Error::shape("transposed convolution", found, "a non-empty output")
                })?;
        }
        let geometry = ConvGeometry {
            batch,
            input: extents,
            in_channels: filters,
            output: input,
            out_channels: channels,
            kernel: self.size,
            stride: self.stride,
            dilation: self.dilation,
            pad,
            groups: 1,
        };
        let (x, kernel) = (x.cast(kernel.dtype()), kernel.reshape(geometry.kernel_shape()));
        Ok(self.merge(x.reshape(geometry.y_shape()).conv(kernel, geometry, ConvKind::InputGrad)))
    }

    /// Along one axis of a transposed convolution: the output's extent and what the convolution it
    /// is the gradient of pads in front.
    fn place_transposed(
        &self,
        axis: usize,
        extent: usize,
        output_padding: Option<usize>,
    ) -> Option<(usize, usize)> {
        let (reach, stride) = (self.reach(axis)?, self.stride[axis]);
        let spread = extent.checked_sub(1)?.checked_mul(stride)?;
        if self.padding != Padding::Same {
            let extra = output_padding.unwrap_or(stride.saturating_sub(reach));
            return Some((spread.checked_add(reach)?.checked_add(extra)?, 0));
        }
        // Padding of the sum that gives the output, split as Keras splits it.
        let total = match output_padding {
            None => stride.checked_add(reach)?.checked_sub(2),
            Some(extra) => reach.checked_add(reach % 2)?.checked_add(extra)?.checked_sub(2),
        }?;
        let front = total.div_ceil(2).min(reach - 1);
        let output = spread.checked_add(total)?.checked_add(2)?.checked_sub(reach)?;
        Some((output, reach - 1 - front))
    }

    fn kernel_channels(&self, kernel: &Shape) -> Result<(usize, usize)> {
        match kernel.split_at_checked(self.rank) {
            Some((sizes, &[a, b])) if sizes == self.sizes() => Ok((a, b)),
            _ => {
                let expected = format!("a window {:?} and two channel axes", self.sizes());
                Err(Error::shape("kernel of a convolution", kernel.to_string(), expected))
            }
        }
    }

    /// Pooling of `x` `[N, s…, C]`.
    pub fn pool<'g>(&self, x: Value<'g>, mode: PoolMode) -> Result<Value<'g>> {
        let (batch, input, channels) = self.split(&x.shape())?;
        let (output, pad) = self.placement(input)?;
        let (window, stride) = (self.size, self.stride);
        if !x.dtype().is_float() {
            if let Some(size) = window.into_iter().find(|&size| size > MAX_WHOLE_WINDOW) {
                return Err(Error::Unsupported(format!(
                    "a pooling window of {size} over {}; convert to float32 first, or pool in \
                     windows of at most {MAX_WHOLE_WINDOW}",
                    x.dtype()
                )));
            }
            let x = x.reshape([batch, input[0], input[1], input[2], channels]);
            return self.pool_whole(x, output, pad, mode).map(|pooled| self.merge(pooled));
        }
        // With `same` padding a window may be larger than its input, but not without bound.
        Shape::from(window).checked_len()?;
        let pool = Pool { mode, batch, input, channels, output, window, stride, pad };
        Ok(self.merge(x.reshape(pool.x_shape()).pool(pool)))
    }
}

/// Extent of a window over whole numbers, at most: each of its places is an operation.
const MAX_WHOLE_WINDOW: usize = 256;

impl Window {
    /// Pooling of whole numbers `[N, D, H, W, C]`: exact, where floats would round. Sums wrap around in
    /// the dtype of `x`, as with JAX, and their means are float32. Booleans have no means.
    fn pool_whole<'g>(
        &self,
        x: Value<'g>,
        output: [usize; 3],
        pad: [usize; 3],
        mode: PoolMode,
    ) -> Result<Value<'g>> {
        let dtype = x.dtype();
        let fold = |x: Value<'g>, filler, f| self.fold(x, (output, pad), filler, f);
        match mode {
            PoolMode::Max if dtype == DType::Bool => {
                Ok(fold(x.cast(DType::Int32), 0.0, Value::maximum).cast(dtype))
            }
            PoolMode::Max => {
                let bits = 8 * dtype.size().min(4) as i32;
                let least = if dtype.is_signed_int() { -(2f64.powi(bits - 1)) } else { 0.0 };
                Ok(fold(x, least, Value::maximum))
            }
            PoolMode::Average if dtype == DType::Bool => Err(Error::DType {
                context: "average pooling".into(),
                found: dtype.name().into(),
                expected: "numbers".into(),
            }),
            PoolMode::Average => {
                let add = |a: Value<'g>, b: Value<'g>| a + b;
                let one = x.graph().scalar(1.0, DType::Float32);
                let places = |(axis, &n): (usize, &usize)| if axis % 4 == 0 { 1 } else { n };
                let one =
                    one.broadcast(x.shape().iter().enumerate().map(places).collect::<Shape>());
                let sums = fold(x, 0.0, add).cast(DType::Float32);
                Ok(sums / fold(one, 0.0, add).broadcast(sums.shape()))
            }
        }
    }

    /// What `f` makes of the elements of every window, one axis after the other, with `filler` for
    /// padding.
    fn fold<'g>(
        &self,
        x: Value<'g>,
        (output, pad): Placement,
        filler: f64,
        f: fn(Value<'g>, Value<'g>) -> Value<'g>,
    ) -> Value<'g> {
        (0..3).fold(x, |x, i| {
            if x.graph().has_failed() {
                return x;
            }
            let (axis, size, stride, count) = (i + 1, self.size[i], self.stride[i], output[i]);
            let reach = (count.saturating_sub(1)).saturating_mul(stride).saturating_add(size);
            let (mut low, mut high) = (vec![0; x.rank()], vec![0; x.rank()]);
            if let (Some(low), Some(high)) = (low.get_mut(axis), high.get_mut(axis)) {
                *low = pad[i];
                *high = reach.saturating_sub(pad[i].saturating_add(x.extent(axis)));
            }
            let padded = x.pad(&low, &high, filler);
            let place = |offset: usize| {
                let (mut start, mut step) = (vec![0; padded.rank()], vec![1; padded.rank()]);
                if let (Some(start), Some(step)) = (start.get_mut(axis), step.get_mut(axis)) {
                    (*start, *step) = (offset, stride as i64);
                }
                padded.slice(&start, &padded.shape().with(axis, count), &step)
            };
            (1..size).fold(place(0), |found, offset| f(found, place(offset)))
        })
    }
}

/// Up to three settings, with ones in front of them.
pub fn three(values: &[usize]) -> [usize; 3] {
    let mut all = [1; 3];
    for (to, &from) in all.iter_mut().rev().zip(values.iter().rev()) {
        *to = from;
    }
    all
}
