"""Random layers with random settings, for `random_models.py`.

A recipe is a function of a `Draw` and a tensor that returns a layer's output, or None where the
layer does not fit the tensor. Its name in `RECIPES` is the class of `keras.layers`.
"""

import keras
import numpy as np
from keras import layers, ops, tree

ACTIVATIONS = [
    "relu", "tanh", "sigmoid", "linear", "elu", "selu", "gelu", "silu", "softplus", "softsign",
    "leaky_relu", "relu6", "mish", "hard_sigmoid", "hard_silu", "celu", "log_sigmoid", "softmax",
    "tanh_shrink", "squareplus", "exponential", None,
]  # fmt: skip

# Classes that no random model of floats and tokens can hold, and why.
LEFT_OUT = {
    "Lambda": "Python code", "JaxLayer": "Python code", "FlaxLayer": "Python code",
    "TorchModuleWrapper": "a pickle", "TFSMLayer": "an outside program",
    "InputLayer": "made by Keras", "Wrapper": "has no call of its own",
    "GRUCell": "within RNN", "LSTMCell": "within RNN", "SimpleRNNCell": "within RNN",
    "StackedRNNCells": "within RNN",
    "HashedCrossing": "text and lookup layers have recorded models", "Hashing": "as above",
    "IntegerLookup": "as above", "StringLookup": "as above", "TextVectorization": "as above",
    "CutMix": "mappings of images and labels", "MixUp": "as above",
    "MaxNumBoundingBoxes": "as above",
    "ReversibleEmbedding": "called with a keyword; recorded models",
}  # fmt: skip


class Draw:
    """Random choices."""

    def __init__(self, rng):
        self.rng = rng

    def between(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability):
        return bool(self.rng.random() < probability)

    def pick(self, choices):
        choices = list(choices)
        return choices[self.rng.integers(len(choices))]

    def number(self, low=0.1, high=1.0):
        return round(float(self.rng.uniform(low, high)), 3)

    def activation(self):
        return self.pick(ACTIVATIONS)

    def flag(self):
        return self.chance(0.5)

    def sizes(self, rank, low, high):
        """One number for all axes, or one for each."""
        return self.between(low, high) if self.flag() else self.each(rank, low, high)

    def each(self, rank, low, high):
        return tuple(self.between(low, high) for _ in range(rank))

    def structure(self, tensors, names=None):
        """One tensor, or several as a list, a tuple, a mapping, or a mix of them, some levels deep."""
        names = names or [f"output_{i}" for i in range(len(tensors))]
        kind = self.pick(["plain", "plain", "tuple", "dict", "mixed", "deep", "lists"])
        if kind == "deep" and len(tensors) > 1:
            # Keys that sort otherwise than they are written.
            rest = dict(zip(reversed(names[1:]), reversed(tensors[1:])))
            return {"z": [tensors[0]], "a": (rest,)}
        if kind == "lists" and len(tensors) > 1:
            return {"b": list(tensors[:1]), "a": tuple(tensors[1:])}
        if kind == "dict":
            return dict(zip(names, tensors))
        if kind == "mixed" and len(tensors) > 1:
            return [tensors[0], dict(zip(names[1:], tensors[1:]))]
        if kind == "tuple":
            return tuple(tensors)
        return tensors if len(tensors) > 1 else tensors[0]


RECIPES = {}


def recipe(*names, rank=None, known=True):
    """Registers a function for layers of these names, and tensors of this rank with known extents."""

    def register(function):
        for name in names:
            RECIPES[name] = (function, getattr(layers, name, None), rank, known)
        return function

    return register


def spatial(x, layer):
    """The number in a class's name, such as 2 of Conv2D, when the tensor has so many axes."""
    rank = int(next(c for c in layer.__name__ if c.isdigit()))
    return rank if len(x.shape) == rank + 2 else None


@recipe("Dense", known=False)
def dense(draw, x, layer):
    extra = {"kernel_regularizer": "l2", "kernel_constraint": "non_neg"} if draw.chance(0.1) else {}
    return layer(draw.between(1, 8), draw.activation(), use_bias=draw.flag(), **extra)(x)


@recipe("EinsumDense", rank=(3,), known=False)
def einsum_dense(draw, x, layer):
    equation, shape, bias = draw.pick([
        ("abc,cd->abd", (None, 5), "d"), ("...x,xy->...y", 4, None),
        ("abc,cde->abde", (None, 2, 3), "de"), ("abc,cd->ad", 3, "d"),
    ])  # fmt: skip
    return layer(equation, shape, activation=draw.activation(), bias_axes=bias)(x)


@recipe("Activation", known=False)
def activation(draw, x, layer):
    return layer(draw.pick(ACTIVATIONS[:-1]))(x)


@recipe("Identity", "UnitNormalization", known=False)
def plain(draw, x, layer):
    return layer()(x)


@recipe("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", known=False)
def noise(draw, x, layer):
    return layer(draw.number(), seed=draw.between(0, 9))(x)


@recipe("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
def spatial_dropout(draw, x, layer):
    return layer(0.3)(x) if spatial(x, layer) else None


@recipe("ActivityRegularization", known=False)
def activity_regularization(draw, x, layer):
    return layer(l1=0.01, l2=0.02)(x)


@recipe("ELU", known=False)
def elu(draw, x, layer):
    return layer(alpha=draw.number())(x)


@recipe("LeakyReLU", known=False)
def leaky_relu(draw, x, layer):
    return layer(negative_slope=draw.number())(x)


@recipe("ReLU", known=False)
def relu(draw, x, layer):
    top = draw.pick([None, 0.7])
    return layer(top, negative_slope=draw.pick([0.0, 0.2]), threshold=draw.pick([0.0, 0.1]))(x)


@recipe("PReLU")
def prelu(draw, x, layer):
    axes = list(range(1, len(x.shape)))
    return layer(shared_axes=draw.pick([None, axes[:1], axes[1:] or None]))(x)


@recipe("Softmax", known=False)
def softmax(draw, x, layer):
    return layer(axis=draw.pick([-1, 1, -1]))(x)


@recipe("Masking", rank=(3,), known=False)
def masking(draw, x, layer):
    return layer(mask_value=0.0)(x)


@recipe("BatchNormalization", known=False)
def batch_normalization(draw, x, layer):
    axis = draw.pick([-1, 1])
    settings = {"center": draw.flag(), "scale": draw.flag(), "epsilon": draw.number(0.001, 0.1)}
    return layer(axis=axis, **settings)(x)


@recipe("LayerNormalization")
def layer_normalization(draw, x, layer):
    axis = draw.pick([-1, 1, list(range(1, len(x.shape))) or -1])
    return layer(axis=axis, center=draw.flag(), scale=draw.flag(), epsilon=0.01)(x)


@recipe("RMSNormalization", known=False)
def rms_normalization(draw, x, layer):
    return layer(axis=-1, epsilon=0.01)(x)


@recipe("GroupNormalization", rank=(3, 4, 5), known=False)
def group_normalization(draw, x, layer):
    axis = draw.pick([-1, 1])
    channels = x.shape[axis]
    groups = draw.pick([g for g in range(1, channels + 1) if channels % g == 0] + [-1])
    return layer(groups, axis=axis, center=draw.flag(), scale=draw.flag(), epsilon=0.01)(x)


def windows(draw, rank):
    """Kernel or pool size, strides and padding."""
    return draw.sizes(rank, 1, 3), draw.sizes(rank, 1, 2), draw.pick(["valid", "same"])


def data_format(draw):
    return draw.pick(["channels_last", "channels_last", "channels_first"])


@recipe("Conv1D", "Conv2D", "Conv3D", known=False)
def conv(draw, x, layer):
    rank = spatial(x, layer)
    if rank is None:
        return None
    form = data_format(draw)
    channels = x.shape[-1 if form == "channels_last" else 1]
    kernel, strides, padding = windows(draw, rank)
    settings = {"use_bias": draw.flag(), "activation": draw.activation(), "data_format": form}
    if draw.chance(0.3):
        settings["dilation_rate"], strides = draw.sizes(rank, 1, 2), 1
    if rank == 1 and form == "channels_last" and draw.chance(0.3):
        padding = "causal"
    groups = draw.pick([g for g in range(1, channels + 1) if channels % g == 0])
    filters = groups * draw.between(1, 3)
    return layer(filters, kernel, strides=strides, padding=padding, groups=groups, **settings)(x)


@recipe("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", known=False)
def conv_transpose(draw, x, layer):
    rank = spatial(x, layer)
    if rank is None:
        return None
    kernel, strides, padding = windows(draw, rank)
    settings = {"use_bias": draw.flag(), "data_format": data_format(draw)}
    if draw.chance(0.2):
        settings["dilation_rate"], strides = draw.between(1, 2), 1
    elif draw.chance(0.3):
        # Less than the stride.
        strides, settings["output_padding"] = 2, draw.between(0, 1)
    return layer(draw.between(1, 4), kernel, strides=strides, padding=padding, **settings)(x)


@recipe("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", known=False)
def depthwise_conv(draw, x, layer):
    rank = spatial(x, layer)
    if rank is None:
        return None
    settings = {"strides": draw.between(1, 2), "padding": draw.pick(["valid", "same"])}
    settings |= {"depth_multiplier": draw.between(1, 2), "use_bias": draw.flag()}
    settings |= {"data_format": data_format(draw), "activation": draw.activation()}
    if settings["strides"] == 1:
        settings["dilation_rate"] = draw.between(1, 2)
    filters = (draw.between(1, 5),) if "Separable" in layer.__name__ else ()
    return layer(*filters, draw.sizes(rank, 1, 3), **settings)(x)


POOLING = ("MaxPooling", "AveragePooling")


@recipe(*(f"{kind}{rank}D" for kind in POOLING for rank in (1, 2, 3)), known=False)
def pooling(draw, x, layer):
    rank = spatial(x, layer)
    if rank is None:
        return None
    pool, strides, padding = windows(draw, rank)
    return layer(pool, draw.pick([None, strides]), padding, data_format=data_format(draw))(x)


@recipe(*(f"Global{kind}{rank}D" for kind in POOLING for rank in (1, 2, 3)), known=False)
def global_pooling(draw, x, layer):
    fits = spatial(x, layer)
    return layer(data_format=data_format(draw), keepdims=draw.flag())(x) if fits else None


@recipe(*(f"Adaptive{kind}{rank}D" for kind in POOLING for rank in (1, 2, 3)))
def adaptive_pooling(draw, x, layer):
    rank = spatial(x, layer)
    return layer(draw.sizes(rank, 1, 3), data_format=data_format(draw))(x) if rank else None


@recipe("Flatten")
def flatten(draw, x, layer):
    return layer(data_format=data_format(draw))(x) if len(x.shape) > 2 else None


@recipe("Reshape")
def reshape(draw, x, layer):
    extents = list(x.shape[1:])
    draw.rng.shuffle(extents)
    if draw.flag():
        extents[0] = -1
    return layer(tuple(int(e) for e in extents))(x)


@recipe("Permute", rank=(3, 4, 5), known=False)
def permute(draw, x, layer):
    return layer(tuple(int(i) + 1 for i in draw.rng.permutation(len(x.shape) - 1)))(x)


@recipe("RepeatVector", rank=(2,))
def repeat_vector(draw, x, layer):
    return layer(draw.between(1, 4))(x)


MARGINS = [f"{kind}{rank}D" for kind in ("Cropping", "ZeroPadding") for rank in (1, 2, 3)]


@recipe(*MARGINS, known=False)
def margins(draw, x, layer):
    rank = spatial(x, layer)
    if rank is None:
        return None
    pairs = tuple(draw.each(2, 0, 1) for _ in range(rank))
    choice = draw.pick([1, pairs]) if rank > 1 else draw.pick([1, pairs[0]])
    form = {} if rank == 1 else {"data_format": data_format(draw)}
    return layer(choice, **form)(x)


@recipe("UpSampling1D", "UpSampling2D", "UpSampling3D", known=False)
def up_sampling(draw, x, layer):
    rank = spatial(x, layer)
    if rank is None or np.prod([e or 5 for e in x.shape[1:]]) > 300:
        return None
    if rank == 1:
        return layer(draw.between(1, 3))(x)
    settings = {"data_format": data_format(draw)}
    if rank == 2:
        settings["interpolation"] = draw.pick(["nearest", "bilinear", "bicubic", "lanczos3"])
    return layer(draw.sizes(rank, 1, 3), **settings)(x)


@recipe("Rescaling", known=False)
def rescaling(draw, x, layer):
    return layer(draw.number(), offset=draw.number(-1.0))(x)


@recipe("Normalization")
def normalization(draw, x, layer):
    return layer(axis=None, mean=draw.number(), variance=draw.number(), invert=draw.flag())(x)


@recipe("CenterCrop", rank=(4,), known=False)
def center_crop(draw, x, layer):
    return layer(draw.between(2, 10), draw.between(2, 10))(x)


@recipe("Resizing", rank=(4,), known=False)
def resizing(draw, x, layer):
    kind = draw.pick(["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
    ratio = draw.pick(["crop_to_aspect_ratio", "pad_to_aspect_ratio", None])
    settings = {ratio: True} if ratio else {}
    return layer(draw.between(2, 9), draw.between(2, 9), interpolation=kind, **settings)(x)


@recipe("Discretization")
def discretization(draw, x, layer):
    # Rounding must not decide a bin: only numbers that come from outside are sorted into bins.
    if x._keras_history.operation.__class__.__name__ != "InputLayer":
        return None
    return layer(bin_boundaries=[-1.0, 0.1, 0.9], output_mode=draw.pick(["int", "one_hot"]))(x)


def recurrent_settings(draw):
    return {
        "return_sequences": draw.flag(),
        "go_backwards": draw.chance(0.3),
        "use_bias": draw.flag(),
        "unroll": draw.chance(0.2),
        "zero_output_for_mask": draw.flag(),
    }


def first_state(draw, x, units, count):
    """States made from the tensor itself, or none."""
    if draw.chance(0.7):
        return {}
    states = [layers.Dense(units, "tanh")(x[:, 0]) for _ in range(count)]
    return {"initial_state": states}


@recipe("SimpleRNN", "LSTM", "GRU", rank=(3,), known=False)
def recurrent(draw, x, layer):
    settings = recurrent_settings(draw)
    if None in x.shape[1:]:
        settings["unroll"] = False
    if layer is layers.GRU:
        settings["reset_after"] = draw.flag()
    units = draw.between(1, 5)
    state = first_state(draw, x, units, 2 if layer is layers.LSTM else 1)
    settings |= {"activation": draw.pick(["tanh", "relu"]), "return_state": draw.chance(0.2)}
    if layer is not layers.SimpleRNN:
        settings["recurrent_activation"] = draw.pick(["sigmoid", "hard_sigmoid"])
    return layer(units, **settings)(x, **state)


@recipe("RNN", rank=(3,), known=False)
def rnn(draw, x, layer):
    cells = [layers.SimpleRNNCell, layers.LSTMCell, layers.GRUCell]
    stack = [draw.pick(cells)(draw.between(1, 4)) for _ in range(draw.between(1, 2))]
    cell = stack[0] if len(stack) == 1 else draw.pick([stack, layers.StackedRNNCells(stack)])
    settings = {"return_sequences": draw.flag(), "go_backwards": draw.flag()}
    return layer(cell, zero_output_for_mask=draw.flag(), **settings)(x)


@recipe("Bidirectional", rank=(3,), known=False)
def bidirectional(draw, x, layer):
    kind = draw.pick([layers.SimpleRNN, layers.LSTM, layers.GRU])
    units, sequences = draw.between(1, 4), draw.flag()
    inner = kind(units, return_sequences=sequences, return_state=draw.chance(0.2))
    backward = {}
    if not inner.return_state and draw.chance(0.2):
        other = draw.pick([layers.SimpleRNN, layers.LSTM, layers.GRU])
        backward["backward_layer"] = other(units, return_sequences=sequences, go_backwards=True)
    return layer(inner, merge_mode=draw.pick(["concat", "sum", "mul", "ave", None]), **backward)(x)


@recipe("TimeDistributed", rank=(3, 4, 5))
def time_distributed(draw, x, layer):
    inner = [layers.Dense(3, "tanh"), layers.Flatten(), layers.BatchNormalization()]
    if len(x.shape) == 4:
        inner += [layers.LSTM(2), layers.Conv1D(2, 2), layers.GlobalMaxPooling1D()]
    if len(x.shape) == 5:
        inner.append(layers.Conv2D(2, 2, padding="same"))
    return layer(draw.pick(inner))(x)


@recipe("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
def conv_lstm(draw, x, layer):
    rank = int(layer.__name__[-2])
    if len(x.shape) != rank + 3:
        return None
    settings = {"return_sequences": draw.flag(), "padding": draw.pick(["same", "valid"])}
    return layer(draw.between(1, 3), 2, strides=draw.between(1, 2), **settings)(x)


@recipe("SpectralNormalization", rank=(2, 4))
def spectral_normalization(draw, x, layer):
    inner = layers.Dense(4) if len(x.shape) == 2 else layers.Conv2D(3, 2)
    return layer(inner, power_iterations=draw.between(1, 2))(x)


@recipe("Attention", "AdditiveAttention", rank=(3,), known=False)
def attention(draw, x, layer):
    settings = {"use_scale": draw.flag(), "dropout": 0.1}
    if layer is layers.Attention:
        settings["score_mode"] = draw.pick(["dot", "concat"])
    value = layers.Dense(3)(x) if draw.chance(0.3) else x
    inputs = [x, value, x] if draw.flag() or value is not x else [x, x]
    call = {"use_causal_mask": draw.flag(), "return_attention_scores": draw.chance(0.2)}
    return layer(**settings)(inputs, **call)


@recipe("MultiHeadAttention", rank=(3, 4), known=False)
def multi_head_attention(draw, x, layer):
    settings = {"use_bias": draw.flag(), "value_dim": draw.pick([None, 3])}
    settings |= {"output_shape": draw.pick([None, 4]), "dropout": 0.1}
    if len(x.shape) == 4:
        settings["attention_axes"] = draw.pick([None, (1,), (2,), (1, 2)])
    call = {"use_causal_mask": draw.flag() and len(x.shape) == 3}
    call["return_attention_scores"] = draw.chance(0.2)
    value = x[:, :2] if draw.chance(0.3) else x
    return layer(draw.between(1, 3), draw.between(1, 4), **settings)(x, value, **call)


@recipe("GroupQueryAttention", rank=(3,), known=False)
def group_query_attention(draw, x, layer):
    heads = draw.between(1, 2)
    groups = draw.between(1, 2)
    value = x[:, :2] if draw.chance(0.3) else x
    return layer(draw.between(1, 4), heads * groups, heads, use_bias=draw.flag())(
        x, value, use_causal_mask=draw.flag()
    )


IMAGES = {
    "RandomBrightness": {"factor": 0.2},
    "RandomColorDegeneration": {"factor": 0.2},
    "RandomColorJitter": {},
    "RandomContrast": {"factor": 0.2},
    "RandomCrop": {"height": 4, "width": 4},
    "RandomElasticTransform": {},
    "RandomErasing": {},
    "RandomFlip": {},
    "RandomGaussianBlur": {},
    "RandomGrayscale": {},
    "RandomHue": {"factor": 0.2},
    "RandomInvert": {},
    "RandomPerspective": {},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.2},
    "RandomSaturation": {"factor": 0.2},
    "RandomSharpness": {"factor": 0.2},
    "RandomShear": {"x_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomZoom": {"height_factor": 0.2},
    "RandAugment": {},
    "AugMix": {},
    "AutoContrast": {"value_range": (0, 1)},
    "Equalization": {"value_range": (0, 255)},
    "Solarization": {"value_range": (0, 1)},
    "ContrastLimitedAdaptiveHistogramEqualization": {"value_range": (0, 255)},
}


@recipe(*IMAGES, rank=(4,))
def image(draw, x, layer):
    fits = x.shape[-1] == 3 and x._keras_history.operation.__class__.__name__ == "InputLayer"
    return layer(**IMAGES[layer.__name__])(x) if fits else None


@recipe("Pipeline", rank=(4,))
def pipeline(draw, x, layer):
    return layer([layers.Rescaling(0.5), layers.CenterCrop(3, 3)])(x)


@recipe("STFTSpectrogram", rank=(3,))
def stft_spectrogram(draw, x, layer):
    mode = draw.pick(["log", "magnitude", "psd", "real", "imag", "stft"])
    return layer(mode=mode, frame_length=4, frame_step=2, fft_length=8)(x[:, :, :1])


@recipe("MelSpectrogram", rank=(2,))
def mel_spectrogram(draw, x, layer):
    # Its own logarithm is far from linear near silence; a longer signal keeps it away from there.
    signal = ops.concatenate([x] * 12, axis=-1)
    return layer(fft_length=16, sequence_stride=4, num_mel_bins=4, sampling_rate=8000)(signal)


MERGING = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot")


def merging(draw, tensors, x, layer):
    """A merging layer of the tensor and another that fits it."""
    floats = [y for y in tensors if "float" in y.dtype and y.dtype == x.dtype]
    if layer is not layers.Dot and draw.chance(0.3):
        # Integers and booleans beside floats: Keras promotes them.
        floats = [y for y in tensors if layer is not layers.Subtract or y.dtype != "bool"]
    if layer is layers.Dot:
        others = [y for y in floats if y.shape[-1] == x.shape[-1] and len(y.shape) <= 3]
        if not others or len(x.shape) > 3 or None in x.shape[1:]:
            return None
        return layer(axes=-1, normalize=draw.flag()), [x, draw.pick(others)]
    others = [y for y in floats if y.shape == x.shape]
    if layer is layers.Concatenate:
        return layer(axis=draw.pick([-1, 1])), [x, draw.pick(others), x][: draw.between(2, 3)]
    count = 2 if layer is layers.Subtract else draw.between(2, 3)
    return layer(), [x, *(draw.pick(others) for _ in range(count - 1))]


OPERATIONS = [
    lambda x: x * 2.0, lambda x: x + 1, lambda x: 1.0 - x, lambda x: -x, lambda x: x / 3.0,
    lambda x: x[:, :1], lambda x: x[..., -1:], lambda x: x[:, ::-1], lambda x: abs(x),
    ops.square, ops.exp, ops.tanh, ops.sin, ops.cos, ops.log1p, ops.sqrt, ops.abs, ops.softmax,
    lambda x: ops.mean(x, axis=-1, keepdims=True), lambda x: ops.sum(x, axis=1, keepdims=True),
    lambda x: ops.max(x, axis=-1, keepdims=True), lambda x: ops.cumsum(x, axis=1),
    lambda x: ops.clip(x, -0.5, 0.5), lambda x: ops.flip(x, axis=1), lambda x: ops.roll(x, 1, -1),
    lambda x: ops.expand_dims(x, -1), lambda x: ops.maximum(x, 0.1), lambda x: x @ ops.swapaxes(x, -1, -2),
    lambda x: ops.concatenate([x, x * 0.5], axis=-1), lambda x: ops.where(x > 0, x, x * 0.1),
    lambda x: ops.sort(x, axis=-1), lambda x: ops.logsumexp(x, axis=-1, keepdims=True),
    lambda x: ops.var(x, axis=-1, keepdims=True), lambda x: ops.normalize(x, axis=-1),
    lambda x: ops.tile(x, [1] * (len(x.shape) - 1) + [2]), lambda x: ops.cast(x, "float32"),
    lambda x: ops.pad(x, [[0, 0]] + [[1, 0]] * (len(x.shape) - 1)), lambda x: ops.power(x, 2),
    lambda x: ops.repeat(x, 2, axis=-1), lambda x: ops.stack([x, x], axis=1),
    lambda x: ops.take(x, [0, -1], axis=-1), lambda x: ops.top_k(x, 1)[0],
    lambda x: ops.squeeze(ops.expand_dims(x, 1), 1), lambda x: ops.erf(x), lambda x: ops.rsqrt(x * x + 1),
]  # fmt: skip


INTEGER_OPERATIONS = [
    lambda x: x + 1, lambda x: x * 2, lambda x: x // 2, lambda x: x % 3, lambda x: x - 3,
    lambda x: ops.cast(x, "float32"), lambda x: x / 4, lambda x: ops.minimum(x, 3),
    lambda x: ops.one_hot(x, 11), lambda x: ops.sum(x, axis=-1, keepdims=True), lambda x: x > 2,
    lambda x: ops.equal(x, 4), lambda x: x * 0.5, lambda x: ops.mean(x, axis=-1, keepdims=True),
    lambda x: ops.cumsum(x, axis=-1), lambda x: ops.max(x, axis=-1, keepdims=True),
    lambda x: ops.argmax(x, axis=-1), lambda x: ops.argsort(x, axis=-1), lambda x: ops.square(x),
    lambda x: ops.sqrt(ops.abs(x)), lambda x: ops.where(x > 3, x, 0), lambda x: ops.power(x, 2),
    lambda x: ops.sort(x, axis=-1), lambda x: ops.expand_dims(x, -1) + ops.expand_dims(x, 1),
]  # fmt: skip

BOOLEAN_OPERATIONS = [
    ops.logical_not, lambda x: ops.cast(x, "float32"), lambda x: ops.any(x, axis=-1),
    lambda x: ops.where(x, 1.5, -0.5), lambda x: ops.sum(x, axis=-1, keepdims=True),
    lambda x: ops.logical_xor(x, x[:, ::-1]), lambda x: x + 1, lambda x: x * 2.0,
    lambda x: ops.cast(x, "int32"), lambda x: ops.all(x, axis=-1, keepdims=True),
]  # fmt: skip


def tokens(draw, x):
    """What takes small integers: a layer for an input of tokens, or an operation."""
    is_input = x._keras_history.operation.__class__.__name__ == "InputLayer"
    if not is_input or draw.chance(0.3):
        return draw.pick(INTEGER_OPERATIONS)(x)
    if draw.chance(0.2):
        return layers.CategoryEncoding(12, draw.pick(["multi_hot", "count", "one_hot"]))(x)
    return layers.Embedding(12, draw.between(1, 5), mask_zero=draw.flag())(x)


RECIPES["Embedding"] = RECIPES["CategoryEncoding"] = None


def again(draw, tensors, x):
    """A layer that is in use, called once more: its calls share their weights."""
    for y in tensors:
        layer, _, _ = y._keras_history
        if type(layer).__name__ == "InputLayer" or not isinstance(layer, layers.Layer):
            continue
        inputs = layer._inbound_nodes[0].arguments.keras_tensors
        if len(inputs) == 1 and (inputs[0].shape, inputs[0].dtype) == (x.shape, x.dtype) and draw.flag():
            return layer(x)
    return None


def too_large(outputs):
    return any(np.prod([e or 5 for e in y.shape[1:]]) > 4000 for y in outputs)


# What Keras raises for settings that do not fit a tensor.
REFUSALS = (ValueError, TypeError, ZeroDivisionError, IndexError)


def apply(draw, tensors, index):
    """Applies a random recipe: the new tensors and those it took, or None where none fits."""
    x = tensors[index]
    try:
        if "int" in x.dtype:
            outputs, inputs = tokens(draw, x), [x]
        elif x.dtype == "bool":
            outputs, inputs = draw.pick(BOOLEAN_OPERATIONS)(x), [x]
        elif draw.chance(0.15):
            outputs, inputs = draw.pick(OPERATIONS)(x), [x]
        elif draw.chance(0.1):
            outputs, inputs = again(draw, tensors, x), [x]
        elif draw.chance(0.15):
            layer, inputs = merging(draw, tensors, x, getattr(layers, draw.pick(MERGING)))
            outputs = layer(inputs)
        else:
            outputs, inputs = under_policy(draw, x), [x]
    except REFUSALS:
        return None
    if outputs is None:
        return None
    outputs = tree.flatten(outputs)
    return None if too_large(outputs) or 0 in sum((y.shape for y in outputs), ()) else (outputs, inputs)


def under_policy(draw, x):
    """A layer, sometimes with a dtype policy that is not the model's."""
    policy = keras.config.dtype_policy()
    if draw.chance(0.1):
        keras.config.set_dtype_policy(draw.pick(["float32", "mixed_float16", "bfloat16", "float16", "mixed_bfloat16"]))
    try:
        return one_layer(draw, x)
    finally:
        keras.config.set_dtype_policy(policy)


def ranks(name, rank):
    """The tensor ranks that a class takes, or None when it takes all."""
    digit = next((int(c) for c in name if c.isdigit()), None)
    if rank or digit is None:
        return rank
    return (digit + 3,) if name.startswith("ConvLSTM") else (digit + 2,)


def one_layer(draw, x):
    """The output of the first of some random layers that fits the tensor."""
    fits, special = [], []
    for name, found in RECIPES.items():
        if not found or found[3] and None in x.shape[1:]:
            continue
        takes = ranks(name, found[2])
        if takes is None:
            fits.append(found)
        elif len(x.shape) in takes:
            special.append(found)
    for _ in range(20):
        function, layer, _, _ = draw.pick(special if special and draw.flag() else fits)
        try:
            output = function(draw, x, layer)
        except REFUSALS:
            continue
        if output is not None:
            return output
    return None


def check_complete():
    """Every exported layer class has a recipe or a reason."""
    classes = {
        name for name in dir(layers)
        if isinstance(getattr(layers, name), type)
        and issubclass(getattr(layers, name), layers.Layer)
        and getattr(layers, name).__name__ == name
    }  # fmt: skip
    known = {*RECIPES, *LEFT_OUT, *MERGING, "Layer"}
    missing = sorted(classes - known)
    if missing:
        raise SystemExit(f"layer classes without a recipe: {', '.join(missing)}")
