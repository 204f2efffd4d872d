"""A small model around every differentiable operation of `keras.ops`, for `make_gradients.py`.

`CASES` maps the name of a case to what builds its model; a name begins with `ops.` and the operation's class.
Where it ends in `:kinks`, inputs are multiples of a half, at which functions with corners have them.
"""

import keras
import numpy as np
from keras import ops
from keras.src.activations import activations

BATCH = 3
CASES = {}
VECTOR, MATRIX, TALL, IMAGE, SIGNAL = (6,), (4, 4), (5, 3), (6, 7, 3), (32,)


def add(name, shapes, make):
    """A model of one operation: `make` takes an input of each shape."""

    def build():
        inputs = [keras.Input(shape, batch_size=BATCH) for shape in shapes]
        return keras.Model(inputs, make(*inputs))

    CASES[f"ops.{name}"] = build


def one(name, make, shape=TALL):
    add(name, [shape], make)


def two(name, make, shape=TALL):
    add(name, [shape, shape], make)


def inside(x):
    return ops.tanh(x) * 0.9


def positive(x):
    return x * x + 0.1


def symmetric(x):
    return x + ops.swapaxes(x, -1, -2)


def definite(x):
    return ops.matmul(x, ops.swapaxes(x, -1, -2)) + np.eye(4, dtype="float32")


def dominant(x):
    return x + 4 * np.eye(4, dtype="float32")


SMOOTH = {
    None: "Absolute Arcsinh Arctan Cbrt Celu Cos Cosh Deg2rad Elu Erf Erfc Exp Exp2 Expm1 Fabs Gelu Glu "
    "HardShrink HardSigmoid HardSilu HardTanh I0 LeakyRelu LogSigmoid LogSoftmax Logsumexp NanToNum "
    "Negative Rad2deg Reciprocal Relu Relu6 Selu Sigmoid Silu Sin Sinc Sinh Softmax SoftShrink Softplus "
    "Softsign SparsePlus SparseSigmoid Sparsemax Square Squareplus Tan Tanh TanhShrink Threshold Copy Real "
    "Conjugate",
    inside: "Arccos Arcsin Arctanh Erfinv",
    positive: "Log Log10 Log1p Log2 Rsqrt Sqrt",
    lambda x: x * x + 1.1: "Arccosh",
}  # fmt: skip
KINKED = (
    "Absolute Celu Elu Glu HardShrink HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid Relu Relu6 Selu "
    "SoftShrink Softplus Softsign SparsePlus SparseSigmoid Sparsemax Square Squareplus TanhShrink"
)
FUNCTIONS = {"LogSoftmax": "log_softmax", "NanToNum": "nan_to_num"}
SETTINGS = {"Glu": {"axis": 1}, "Threshold": {"threshold": 0.3, "default_value": 0.7}}


def function_of(name):
    """The function of `keras.ops` that makes an operation of this class."""
    words = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).strip("_")
    return getattr(ops, FUNCTIONS.get(name, words))


for before, names in SMOOTH.items():
    for name in names.split():
        shape = (6, 4) if name == "Glu" else TALL

        def call(x, name=name, before=before):
            return function_of(name)(before(x) if before else x, **SETTINGS.get(name, {}))

        one(name, call, shape)
        if name in KINKED.split():
            one(f"{name}:kinks", call, shape)

for name in "Add Subtract Multiply Maximum Minimum Arctan2 Fmax Fmin Hypot Logaddexp Logaddexp2 Cross Inner".split():
    two(name, function_of(name))
for name in "Maximum Minimum Logaddexp Logaddexp2 Fmax Fmin".split():
    two(f"{name}:kinks", function_of(name))
for name in ("Divide", "TrueDivide", "DivideNoNan"):
    two(name, lambda a, b, name=name: function_of(name)(a, positive(b)))
two("Mod", lambda a, b: ops.mod(a, positive(b)))
two("Fmod", lambda a, b: ops.fmod(a, positive(b)))
two("Power", lambda a, b: ops.power(positive(a), b))
two("Ldexp", lambda a, b: ops.ldexp(a, ops.cast(ops.floor(b), "int32")))
two("Where", lambda a, b: ops.where(a > b, a * 2.0, b))
two("Select", lambda a, b: ops.select([a > b, a > 0.0], [a * 2.0, b], 1.0))
two("Dot", lambda a, b: ops.dot(a, b[0]), MATRIX)
two("Vdot", ops.vdot)
two("Outer", lambda a, b: ops.outer(a[0], b[1]))
two("Kron", lambda a, b: ops.kron(a[0], b[1]))
two("Tensordot", lambda a, b: ops.tensordot(a, b, axes=[[1, 2], [1, 2]]))
two("Matmul", lambda a, b: ops.matmul(a, ops.swapaxes(b, 1, 2)))
two("Einsum", lambda a, b: ops.einsum("bij,bkj->bik", a, b))
two("Einsum:diagonal", lambda a, b: ops.einsum("bii,bij->bj", a, b), MATRIX)
two("CDist", lambda a, b: ops.cdist(a[0], b[1]))

# Reductions.
for name in "Sum Mean Max Min Amax Amin Prod Var Std Median Ptp Nansum Nanmean Nanmax Nanmin Nanprod Nanvar Nanstd Nanmedian".split():
    one(name, lambda x, name=name: function_of(name)(x, axis=1))
for name in ("Max", "Min", "Amax", "Ptp"):
    one(f"{name}:kinks", lambda x, name=name: function_of(name)(x, axis=1))
one("Average", lambda x: ops.average(x, axis=1, weights=np.arange(5, dtype="float32")))
one("Quantile", lambda x: ops.quantile(x, [0.3, 0.6], axis=(1, 2)))
one("Percentile", lambda x: ops.percentile(x, 30.0, axis=1))
one("Nanquantile", lambda x: ops.nanquantile(x, 0.3, axis=1))
one("Nanpercentile", lambda x: ops.nanpercentile(x, 30.0, axis=1))
one("Moments", lambda x: ops.moments(x, axes=[1]))
one("Norm", ops.norm)
for order in (1, 3, np.inf):
    one(f"Norm:{order}", lambda x, order=order: ops.norm(x[0, :, 1], ord=order))
for order in (1, 2, "nuc", "fro"):
    one(f"Norm:matrix {order}", lambda x, order=order: ops.norm(x, ord=order, axis=(1, 2)))
one("Normalize", lambda x: ops.normalize(x, axis=1))
one("Cumsum", lambda x: ops.cumsum(x, axis=1))
one("Cumprod", lambda x: ops.cumprod(x, axis=1))
one("Nancumsum", lambda x: ops.nancumsum(x, axis=1))
one("Nancumprod", lambda x: ops.nancumprod(x, axis=1))
one("Trapezoid", lambda x: ops.trapezoid(x, axis=1))
one("Diff", lambda x: ops.diff(x, n=2, axis=1))
one("Trace", lambda x: ops.trace(x, offset=1, axis1=1, axis2=2))
one("Corrcoef", lambda x: ops.corrcoef(x[0]))
two("Correlate", lambda a, b: ops.correlate(a[0, :, 0], b[0, :3, 1], mode="same"))
one("Vander", lambda x: ops.vander(x[0, :, 0], 4))

# Orders.
one("Sort", lambda x: ops.sort(x, axis=1))
one("TopK", lambda x: ops.top_k(x, 2)[0])
one("Flip", lambda x: ops.flip(x, axis=1))
one("Fliplr", ops.fliplr)
one("Flipud", ops.flipud)
one("Roll", lambda x: ops.roll(x, 2, axis=1))
one("Rot90", lambda x: ops.rot90(x, axes=(1, 2)))
one("Repeat", lambda x: ops.repeat(x, 3, axis=1))
one("Tile", lambda x: ops.tile(x, [1, 2, 3]))
one("Take", lambda x: ops.take(x, [0, 2, 2, -1], axis=1))
one("TakeAlongAxis", lambda x: ops.take_along_axis(x, np.array([[[0, 1, 1], [2, 2, 0]]] * 3), axis=1))
one("GetItem", lambda x: x[:, 1::2, ::-1])
one("Slice", lambda x: ops.slice(x, [0, 1, 1], [3, 2, 2]))
two("SliceUpdate", lambda a, b: ops.slice_update(a, [0, 1, 1], b[:, :2, :2]))
one("Scatter", lambda x: ops.scatter(np.array([[1], [4], [1]]), x, (6, 5, 3)))
two("ScatterUpdate", lambda a, b: ops.scatter_update(a, np.array([[0, 1], [2, 2]]), b[:2, 0]))
for name in ("Sum", "Max", "Min"):
    one(
        f"Segment{name}",
        lambda x, name=name: function_of(f"Segment{name}")(x, np.array([0, 1, 1]), 3),
    )

# Shapes.
one("Reshape", lambda x: ops.reshape(x, (-1, 3, 5)))
one("Ravel", ops.ravel)
one("Transpose", lambda x: ops.transpose(x, (2, 0, 1)))
one("Swapaxes", lambda x: ops.swapaxes(x, 1, 2))
one("Moveaxis", lambda x: ops.moveaxis(x, 1, 2))
one("ExpandDims", lambda x: ops.expand_dims(x, 1))
one("Squeeze", lambda x: ops.squeeze(x, 2), (5, 1))
one("BroadcastTo", lambda x: ops.broadcast_to(x, (3, 5, 4)), (5, 1))
one("Rearrange", lambda x: ops.rearrange(x, "b i j -> j (b i)"))
for mode in ("reflect", "symmetric"):
    one(f"Pad:{mode} beyond", lambda x, mode=mode: ops.pad(x, [[0, 0], [1, 9], [7, 0]], mode=mode))
one("Pad", lambda x: ops.pad(x, [[0, 0], [1, 2], [2, 0]]))
for mode in ("reflect", "symmetric", "edge", "wrap", "maximum", "minimum"):
    one(f"Pad:{mode}", lambda x, mode=mode: ops.pad(x, [[0, 0], [1, 2], [2, 0]], mode=mode))
for name in ("Concatenate", "Stack", "Hstack", "Vstack", "Dstack"):
    two(name, lambda a, b, name=name: function_of(name)([a, b]))
two("Append", lambda a, b: ops.append(a, b, axis=1))
two("Meshgrid", lambda a, b: ops.meshgrid(a[0, 0], b[1, :, 1]))
one("Split", lambda x: ops.split(x, [2], axis=1))
one("ArraySplit", lambda x: ops.array_split(x, 2, axis=1))
one("Hsplit", lambda x: ops.hsplit(x, [2]))
one("Vsplit", lambda x: ops.vsplit(x, [2]))
one("Dsplit", lambda x: ops.dsplit(x, [2]))
one("Unstack", lambda x: ops.unstack(x, axis=1))
one("Diag", lambda x: ops.diag(x[0], k=1), MATRIX)
one("Diagflat", lambda x: ops.diagflat(x))
one("Diagonal", lambda x: ops.diagonal(x, offset=1, axis1=1, axis2=2))
one("Tril", ops.tril)
one("Triu", lambda x: ops.triu(x, k=1))
one("Clip", lambda x: ops.clip(x, -0.5, 0.7))
one("Cast", lambda x: ops.cast(x, "float16"))
one("SaturateCast", lambda x: ops.saturate_cast(x, "float16"))
one("StopGradient", lambda x: ops.stop_gradient(x) * x)

# Linear algebra.
one("Cholesky", lambda x: ops.cholesky(definite(x)), MATRIX)
one("CholeskyInverse", lambda x: ops.cholesky_inverse(ops.cholesky(definite(x[0]))), MATRIX)
one("Det", lambda x: ops.det(dominant(x)), MATRIX)
one("Logdet", lambda x: ops.logdet(definite(x)), MATRIX)
one("Slogdet", lambda x: ops.slogdet(dominant(x))[1], MATRIX)
one("Inv", lambda x: ops.inv(dominant(x)), MATRIX)
one("Pinv", lambda x: ops.pinv(dominant(x)), MATRIX)
one("Eigh", lambda x: ops.eigh(symmetric(x))[0], MATRIX)
one("Eigh:vectors", lambda x: ops.abs(ops.eigh(symmetric(x))[1]), MATRIX)
one("SVD", lambda x: ops.svd(x, compute_uv=False), MATRIX)
one("SVD:vectors", lambda x: [ops.abs(y) for y in ops.svd(x, full_matrices=False)], TALL)
one("Qr", lambda x: ops.qr(x), TALL)
one("LuFactor", lambda x: ops.lu_factor(dominant(x))[0], MATRIX)
two("Solve", lambda a, b: ops.solve(dominant(a), b), MATRIX)
for lower in (False, True):
    two(
        f"SolveTriangular:{lower}",
        lambda a, b, lower=lower: ops.solve_triangular(dominant(a), b, lower=lower),
        MATRIX,
    )
two("Lstsq", lambda a, b: ops.lstsq(dominant(a)[0], b[1]), MATRIX)

# Signals.
two("FFT", lambda a, b: ops.fft((a, b)), SIGNAL)
two("FFT2", lambda a, b: ops.fft2((a, b)), MATRIX)
two("IFFT2", lambda a, b: ops.ifft2((a, b)), MATRIX)
one("RFFT", lambda x: ops.rfft(x, 24), SIGNAL)
two("IRFFT", lambda a, b: ops.irfft((a, b), 40), SIGNAL)
one("STFT", lambda x: ops.stft(x, 8, 4, 10), SIGNAL)
two("ISTFT", lambda a, b: ops.istft((a, b), 8, 4, 10), (7, 6))
one("ExtractSequences", lambda x: ops.extract_sequences(x, 8, 4), SIGNAL)

# Images.
for how in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
    one(f"Resize:{how}", lambda x, how=how: ops.image.resize(x, (4, 9), how, antialias=True), IMAGE)
one("AffineTransform", lambda x: ops.image.affine_transform(x, np.array([[1.1, 0.2, -0.3, 0.1, 0.9, 0.4, 0.0, 0.0]] * 3, "float32")), IMAGE)
add("AffineTransform:transforms", [IMAGE, (8,)], lambda x, t: ops.image.affine_transform(x, t * 0.1 + np.array([1, 0, 0, 0, 1, 0, 0, 0], "float32"), fill_mode="reflect"))  # fmt: skip
add("PerspectiveTransform", [IMAGE, (4, 2)], lambda x, p: ops.image.perspective_transform(x, np.array([[[0, 0], [6, 0], [0, 5], [6, 5]]] * 3, "float32"), p * 0.3 + np.array([[0, 0], [6, 0], [0, 5], [6, 5]], "float32")))  # fmt: skip
add("MapCoordinates", [(6, 7), (9,)], lambda x, c: ops.image.map_coordinates(x[0], ops.stack([c[0] * 2.0 + 3.0, c[1] * 2.0 + 3.0]), order=1, fill_mode="reflect"))  # fmt: skip
one("GaussianBlur", lambda x: ops.image.gaussian_blur(x, (3, 5), (1.0, 2.0)), IMAGE)
one("ExtractPatches", lambda x: ops.image.extract_patches(x, (3, 2), strides=2, padding="same"), IMAGE)
one("CropImages", lambda x: ops.image.crop_images(x, 1, 2, None, None, 3, 4), IMAGE)
one("PadImages", lambda x: ops.image.pad_images(x, 1, 2, None, None, 9, 11), IMAGE)
one("RGBToGrayscale", lambda x: ops.image.rgb_to_grayscale(x), IMAGE)
one("RGBToHSV", lambda x: ops.image.rgb_to_hsv(ops.sigmoid(x)), IMAGE)
one("HSVToRGB", lambda x: ops.image.hsv_to_rgb(ops.sigmoid(x)), IMAGE)
one("SobelEdges", lambda x: ops.image.sobel_edges(x), IMAGE)
add("ScaleAndTranslate", [IMAGE, (2,)], lambda x, t: ops.image.scale_and_translate(x, (3, 5, 6, 3), ops.abs(t[0]) * 0.2 + 0.9, t[1], (1, 2), "cubic"))  # fmt: skip
two("SSIM", lambda a, b: ops.image.ssim(ops.sigmoid(a), ops.sigmoid(b), 1.0, filter_size=3), IMAGE)
two("PSNR", lambda a, b: ops.psnr(a, b, 1.0))
one("DepthToSpace", lambda x: ops.depth_to_space(x, 2), (3, 4, 8))
one("SpaceToDepth", lambda x: ops.space_to_depth(x, 2), (4, 6, 3))
one("Unfold", lambda x: ops.unfold(x, 3, padding=1, stride=2), (3, 6, 7))
one("Fold", lambda x: ops.fold(x, (6, 5), (3, 2), padding=1, stride=2), (18, 9))

# Networks.
add("Conv", [IMAGE, (3, 2, 3, 4)], lambda x, k: ops.conv(x, k[0], strides=2, padding="same"))
add("DepthwiseConv", [IMAGE, (3, 2, 3, 2)], lambda x, k: ops.depthwise_conv(x, k[0]))
add("SeparableConv", [IMAGE, (3, 2, 3, 2), (1, 1, 6, 4)], lambda x, k, p: ops.separable_conv(x, k[0], p[0]))
one("AveragePool", lambda x: ops.average_pool(x, 3, 2, "same"), IMAGE)
one("MaxPool", lambda x: ops.max_pool(x, 3, 2, "same"), IMAGE)
one("MaxPool:kinks", lambda x: ops.max_pool(x, 3, 2, "same"), IMAGE)
one("AdaptiveAveragePool", lambda x: ops.adaptive_average_pool(x, (4, 3)), IMAGE)
one("AdaptiveMaxPool", lambda x: ops.adaptive_max_pool(x, (4, 3)), IMAGE)
add("BatchNorm", [TALL, (3,), (3,)], lambda x, m, v: ops.batch_normalization(x, m[0], positive(v[0]), 2, offset=m[1], scale=v[1]))  # fmt: skip
add("LayerNorm", [TALL, (3,)], lambda x, g: ops.layer_normalization(x, g[0], g[1]))
add("RMSNorm", [TALL, (3,)], lambda x, g: ops.rms_normalization(x, g[0]))
add("DotProductAttention", [(5, 2, 4)] * 3, lambda q, k, v: ops.dot_product_attention(q, k, v, is_causal=True))
two("BinaryCrossentropy", lambda a, b: ops.binary_crossentropy(ops.sigmoid(a), ops.sigmoid(b)))
two("BinaryCrossentropy:kinks", lambda a, b: ops.binary_crossentropy(a, b, from_logits=True))
two("CategoricalCrossentropy", lambda a, b: ops.categorical_crossentropy(ops.softmax(a), b, from_logits=True))
one("SparseCategoricalCrossentropy", lambda x: ops.sparse_categorical_crossentropy(np.ones((3, 5), "int32"), x, True))
one("CTCLoss", lambda x: ops.ctc_loss(np.array([[1, 2], [1, 1], [2, 0]]), x, np.array([2, 2, 1]), np.array([5, 5, 4])))
two("Polar", lambda a, b: ops.real(ops.polar(a, b)))
one("ViewAsComplex", lambda x: ops.imag(ops.view_as_complex(x) * 2.0), (5, 2))
two("ViewAsReal", lambda a, b: ops.view_as_real(ops.polar(a, b)))
two("Imag", lambda a, b: ops.imag(ops.polar(a, b)))
one("Angle", lambda x: ops.angle(ops.polar(ops.ones_like(x), x)))

# What has no function in `keras.ops`.
RECTIFIER = {"negative_slope": 0.2, "max_value": 1.5, "threshold": 0.5}
for suffix in ("", ":kinks"):
    one(f"Mish{suffix}", lambda x: activations.Mish()(x))
    one(f"ReLU{suffix}", lambda x: keras.activations.relu(x, **RECTIFIER))
for name, value in RECTIFIER.items():
    one(f"ReLU:{name}:kinks", lambda x, name=name, value=value: keras.activations.relu(x, **{name: value}))
one("ReLU:max_value 6:kinks", lambda x: keras.activations.relu(x * 3.0, max_value=6.0))
one("FakeQuantWithMinMaxVars", lambda x: keras.quantizers.fake_quant_with_min_max_vars(x, -0.7, 1.2, 4))
one("ConvertToTensor", lambda x: ops.convert_to_tensor(x) * 2.0)
