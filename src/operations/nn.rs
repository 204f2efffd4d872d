//! `keras.ops.nn` and the activations that are operations.

use crate::activations::{self, Activation};
use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::graph::ops::PoolMode;
use crate::layers::config::Json;
use crate::layers::imaging::psnr;
use crate::layers::pooling;
use crate::layers::spatial::{DataFormat, Padding, Window, three};
use crate::operations::call::Call;
use crate::operations::operations;
use crate::operations::promotion::{Kind, result_type};

/// The largest number of float16.
const FLOAT16_MAX: f64 = 65504.0;

/// A moment in the dtype of its values. Keras keeps it within the range of float16, also where they are
/// bfloat16.
fn in_range(moment: Value<'_>, dtype: DType) -> Value<'_> {
    match dtype {
        DType::Float16 | DType::BFloat16 => {
            let above = moment.binary("max", moment.like(-FLOAT16_MAX));
            above.binary("min", moment.like(FLOAT16_MAX)).cast(dtype)
        }
        _ => moment,
    }
}

operations! {
    /// Activations that are classes of their own.
    ACTIVATIONS:
    ReLU(x) { negative_slope: 0.0, max_value: null, threshold: 0.0 } |c| {
        let x = c.value(0)?;
        let relu = crate::layers::Rectifier::from_config(c.config)?;
        Ok(relu.apply(x))
    };
    Mish(x) |c| activation(c, "mish");
}

operations! {
    /// Activations, normalizations, convolutions and pooling.
    NN:
    Relu(x) |c| {
        let x = c.value(0)?;
        Ok(activations::relu(x))
    };
    Relu6(x) |c| Ok(activations::relu6(c.value(0)?));
    LeakyRelu(x) { negative_slope: 0.2 } |c| {
        Ok(activations::leaky_relu(c.float(0)?, c.config.float("negative_slope")?))
    };
    Elu(x) { alpha: 1.0 } |c| Ok(activations::elu(c.float(0)?, c.config.float("alpha")?));
    Selu(x) |c| activation(c, "selu");
    Celu(x) { alpha: 1.0 } |c| {
        let (x, alpha) = (c.float(0)?, c.config.float("alpha")?);
        let zero = x.scalar_like(0.0);
        Ok(x.maximum(zero) + (x.minimum(zero) / alpha).unary("expm1") * alpha)
    };
    Gelu(x) { approximate: true } |c| {
        Ok(activations::gelu(c.float(0)?, c.config.bool("approximate")?))
    };
    Sigmoid(x) |c| activation(c, "sigmoid");
    LogSigmoid(x) |c| activation(c, "log_sigmoid");
    HardSigmoid(x) |c| activation(c, "hard_sigmoid");
    Silu(x) |c| activation(c, "silu");
    HardSilu(x) |c| activation(c, "hard_silu");
    HardTanh(x) |c| activation(c, "hard_tanh");
    TanhShrink(x) |c| activation(c, "tanh_shrink");
    SoftShrink(x) { threshold: 0.5 } |c| {
        let (x, threshold) = (c.float(0)?, c.config.float("threshold")?);
        let shrunk = x.abs() - threshold;
        Ok(shrunk.binary("gt", shrunk.like(0.0)).select(shrunk * x.unary("sign"), x.like(0.0)))
    };
    HardShrink(x) { threshold: 0.5 } |c| {
        let (x, threshold) = (c.float(0)?, c.config.float("threshold")?);
        Ok(x.abs().binary("gt", x.like(threshold)).select(x, x.like(0.0)))
    };
    Threshold(x) { threshold: null, default_value: null } |c| {
        let x = c.value(0)?;
        let default = x.like(c.config.float("default_value")?);
        Ok(x.binary("gt", x.like(c.config.float("threshold")?)).select(x, default))
    };
    Softplus(x) |c| activation(c, "softplus");
    Softsign(x) |c| activation(c, "softsign");
    Squareplus(x) { b: 4 } |c| {
        let x = c.float(0)?;
        Ok((x + (x * x + c.config.float("b")?).sqrt()) * 0.5)
    };
    SparsePlus(x) |c| activation(c, "sparse_plus");
    SparseSigmoid(x) |c| activation(c, "sparse_sigmoid");
    Glu(x) { axis: (-1) } |c| {
        let x = c.float(0)?;
        let axis = c.axis("axis", &x.shape())?;
        match x.extent(axis) {
            n if n % 2 == 0 => {
                Ok(x.narrow(axis, 0, n / 2) * x.narrow(axis, n / 2, n / 2).sigmoid())
            }
            _ => Err(Error::shape("glu", x.shape().to_string(), "an even extent")),
        }
    };
    Softmax(x) { axis: (-1) } |c| {
        let x = c.float(0)?;
        Ok(x.softmax(&c.axes("axis", x.rank())?))
    };
    Sparsemax(x) { axis: (-1) } |c| {
        let x = c.float(0)?;
        let axis = c.axis("axis", &x.shape())?;
        Ok(activations::sparsemax(x, axis))
    };
    LogSoftmax(x) { axis: (-1) } |c| {
        let x = c.float(0)?;
        Ok(x.log_softmax(&c.axes("axis", x.rank())?))
    };

    OneHot(x) { num_classes: null, axis: (-1), dtype: null, sparse: false } |c| one_hot(c);
    MultiHot(inputs) { num_classes: null, axis: (-1), dtype: null, sparse: false } |c| {
        let hot = one_hot(c)?;
        let reduced = usize::from(hot.rank() > 2);
        Ok(hot.max(&[reduced]))
    };
    Moments(x) { axes: null, keepdims: false, synchronized: false } |c| {
        let x = c.float(0)?;
        let axes = c.axes("axes", x.rank())?;
        let (mean, variance) = x.cast(DType::Float32).moments(&axes);
        let shape = mean.shape();
        let kept = c.config.bool("keepdims")?;
        let squeezed = (0..shape.rank()).filter(|i| kept || !axes.contains(i)).map(|i| shape[i]);
        let squeezed: crate::base::Shape = squeezed.collect();
        Ok([mean, variance].map(|v| in_range(v.reshape(squeezed.clone()), x.dtype())).to_vec())
    };
    Normalize(x) { axis: (-1), order: 2, epsilon: null } |c| normalize(c);
    BatchNorm(x, mean, variance, offset, scale) { axis: null, epsilon: 0.001 } |c| batch_norm(c);
    LayerNorm(x, gamma, beta) { axis: (-1), epsilon: null, rms_scaling: false } |c| layer_norm(c);
    RMSNorm(x, scale) { axis: (-1), epsilon: null } |c| {
        let x = c.float(0)?;
        let axes = c.axes("axis", x.rank())?;
        let wide = x.cast(DType::Float32);
        let square = wide.square().mean(&axes).keep_axes(&x.shape(), &axes);
        let y = wide * (square + epsilon(c)?).rsqrt();
        Ok(scaled(c, y, 1, |y, scale| y * scale)?.cast(x.dtype()))
    };

    Conv(inputs, kernel) { strides: 1, padding: "valid", data_format: null, dilation_rate: 1 } |c| {
        convolution(c, Window::conv)
    };
    DepthwiseConv(inputs, kernel)
        { strides: 1, padding: "valid", data_format: null, dilation_rate: 1 } |c|
        convolution(c, Window::depthwise_conv);
    SeparableConv(inputs, depthwise_kernel, pointwise_kernel)
        { strides: 1, padding: "valid", data_format: null, dilation_rate: 1 } |c| {
        let pointwise = c.value(2)?;
        convolution(c, |window, x, kernel| {
            let y = window.depthwise_conv(x, kernel)?;
            match pointwise.shape().as_slice() {
                &[.., channels, filters] if pointwise.shape().len() == channels * filters => {
                    Ok(y.dot(pointwise.reshape([channels, filters])))
                }
                _ => Err(c.bad(2, "a kernel of one position")),
            }
        })
    };
    ConvTranspose(inputs, kernel)
        { strides: 1, padding: "valid", output_padding: null, data_format: null, dilation_rate: 1 }
        |c| {
        let rank = c.value(0)?.rank().saturating_sub(2);
        let padding = match c.config.get("output_padding") {
            Json::Null => None,
            Json::Number(n) if n.as_u64() == Some(0) => Some([0; 3]),
            _ => Some(three(&c.config.sizes("output_padding", rank)?)),
        };
        convolution(c, |window, x, kernel| window.conv_transpose(x, kernel, padding))
    };
    PSNR(x1, x2) { max_val: null } |c| {
        let (a, b) = c.pair()?;
        let max_val = c.cx.graph().scalar(c.config.float("max_val")?, c.value(1)?.dtype());
        psnr(a, b, max_val)
    };
    MaxPool(inputs) { pool_size: null, strides: null, padding: "valid", data_format: null } |c| {
        pool(c, PoolMode::Max)
    };
    AveragePool(inputs) { pool_size: null, strides: null, padding: "valid", data_format: null } |c| {
        pool(c, PoolMode::Average)
    };
    AdaptiveMaxPool(inputs) { output_size: null, data_format: null } |c| {
        adaptive_pool(c, PoolMode::Max)
    };
    AdaptiveAveragePool(inputs) { output_size: null, data_format: null } |c| {
        adaptive_pool(c, PoolMode::Average)
    };
}

/// Keras's fuzz factor, where an operation is given none.
pub(super) const KERAS_EPSILON: f64 = 1e-7;

fn epsilon(c: &Call<'_, '_>) -> Result<f64> {
    Ok(c.config.optional_float("epsilon")?.unwrap_or(KERAS_EPSILON))
}

fn activation<'g>(c: &Call<'_, 'g>, name: &str) -> Result<Value<'g>> {
    let unknown = || Error::Internal(format!("no activation '{name}'"));
    Ok(Activation::named(name).ok_or_else(unknown)?.apply(c.float(0)?))
}

fn one_hot<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    if c.config.bool("sparse")? {
        return Err(Error::Unsupported("sparse tensors".into()));
    }
    let dtype = c.dtype("dtype")?.unwrap_or(DType::Float32);
    let x = c.value(0)?.cast(DType::Int32);
    let classes = c.config.size("num_classes")?;
    let axis = crate::base::shape::normalize_axis(c.config.int("axis")?, x.rank() + 1)?;
    Ok(one_hot_of(x, classes, axis).cast(dtype))
}

/// Booleans that say which class every integer names, along a new axis.
pub(crate) fn one_hot_of(x: Value<'_>, classes: usize, axis: usize) -> Value<'_> {
    let mut extents = x.shape().to_vec();
    extents.insert(axis, 1);
    let mut line = vec![1; extents.len()];
    line[axis] = classes;
    x.reshape(extents).binary("eq", x.graph().iota(line, axis).cast(x.dtype()))
}

fn normalize<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.float(0)?;
    let (axes, epsilon) = (c.axes("axis", x.rank())?, epsilon(c)?);
    let shape = x.shape();
    match c.config.size("order")? {
        2 => {
            let inverse = x.square().sum(&axes).keep_axes(&shape, &axes).rsqrt();
            Ok(x * inverse.minimum(inverse.scalar_like(1.0 / epsilon)))
        }
        order => {
            let power = x.abs().binary("pow", x.like(order as f64));
            let norm = power.sum(&axes).keep_axes(&shape, &axes);
            let norm = norm.binary("pow", norm.like(1.0 / order as f64));
            Ok(x / norm.maximum(norm.scalar_like(epsilon)))
        }
    }
}

/// `f` of `y` and the argument at `position` brought to the axes of `axis`, when it is given.
fn scaled<'g>(
    c: &Call<'_, 'g>,
    y: Value<'g>,
    position: usize,
    f: impl Fn(Value<'g>, Value<'g>) -> Value<'g>,
) -> Result<Value<'g>> {
    let Some(weight) = c.optional(position)? else { return Ok(y) };
    let weight = weight.cast(c.cx, y.dtype());
    let (shape, axes) = (y.shape(), c.axes("axis", y.rank())?);
    if weight.rank() == shape.rank() {
        return Ok(f(y, weight));
    }
    let extents = shape.iter().enumerate().map(|(i, &d)| if axes.contains(&i) { d } else { 1 });
    Ok(f(y, weight.reshape(extents.collect::<crate::base::Shape>())))
}

fn layer_norm<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.float(0)?;
    let wide = x.cast(DType::Float32);
    let (mean, variance) = wide.moments(&c.axes("axis", x.rank())?);
    let inverse = (variance + epsilon(c)?).rsqrt();
    if c.config.bool("rms_scaling")? {
        return Ok(scaled(c, wide * inverse, 1, |y, gamma| y * gamma)?.cast(x.dtype()));
    }
    let y = scaled(c, (wide - mean) * inverse, 1, |y, gamma| y * gamma)?;
    Ok(scaled(c, y, 2, |y, beta| y + beta)?.cast(x.dtype()))
}

fn batch_norm<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let kinds = [c.operand(0)?.kind(), c.operand(1)?.kind(), Kind::WeakFloat];
    let x = c.operand(0)?.cast(c.cx, result_type(&kinds));
    let axis = c.axis("axis", &x.shape())?;
    let mut extents = vec![1; x.rank()];
    extents[axis] = x.extent(axis);
    let weight = |position: usize| -> Result<Option<Value<'g>>> {
        let weight = c.optional(position)?;
        Ok(weight.map(|w| w.cast(c.cx, x.dtype()).reshape(extents.clone())))
    };
    let needed = |position: usize| weight(position)?.ok_or_else(|| c.bad(position, "a tensor"));
    let inverse = (needed(2)? + c.config.float("epsilon")?).rsqrt();
    let inverse = weight(4)?.map_or(inverse, |scale| inverse * scale);
    let shift = -needed(1)? * inverse;
    let shift = weight(3)?.map_or(shift, |offset| shift + offset);
    Ok(x * inverse + shift)
}

/// A convolution of the first two arguments, in the dtype of their result.
fn convolution<'g>(
    c: &Call<'_, 'g>,
    f: impl Fn(&Window, Value<'g>, Value<'g>) -> Result<Value<'g>>,
) -> Result<Value<'g>> {
    let (x, kernel) = c.float_pair()?;
    let rank = spatial_rank(c, x)?;
    let (stride, dilation) =
        (c.config.sizes("strides", rank)?, c.config.sizes("dilation_rate", rank)?);
    let size: Vec<usize> = kernel.shape().iter().copied().take(rank).collect();
    let padding = Padding::from_config(c.config, rank == 1)?;
    let window = Window::new(rank, [&size, &stride, &dilation], padding);
    let format = DataFormat::from_config(c.config)?;
    Ok(format.restore(f(&window, format.to_last(x), kernel)?))
}

fn pool<'g>(c: &Call<'_, 'g>, mode: PoolMode) -> Result<Value<'g>> {
    let x = c.float(0)?;
    let rank = spatial_rank(c, x)?;
    let size = c.config.sizes("pool_size", rank)?;
    let strides = if c.config.is_null("strides") { "pool_size" } else { "strides" };
    let stride = c.config.sizes(strides, rank)?;
    let padding = Padding::from_config(c.config, false)?;
    let window = Window::new(rank, [&size, &stride, &vec![1; rank]], padding);
    let format = DataFormat::from_config(c.config)?;
    Ok(format.restore(window.pool(format.to_last(x), mode)?))
}

fn adaptive_pool<'g>(c: &Call<'_, 'g>, mode: PoolMode) -> Result<Value<'g>> {
    let x = c.float(0)?;
    let counts = pooling::counts(c.config, spatial_rank(c, x)?)?;
    let format = DataFormat::from_config(c.config)?;
    Ok(format.restore(pooling::adaptive_pool(format.to_last(x), &counts, mode)?))
}

fn spatial_rank(c: &Call<'_, '_>, x: Value<'_>) -> Result<usize> {
    let rank = x.rank().checked_sub(2).filter(|rank| (1..=3).contains(rank));
    rank.ok_or_else(|| c.bad(0, "a batch, one to three spatial axes and channels"))
}
