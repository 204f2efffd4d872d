"""A small model around every layer class through which gradients flow, for `make_gradients.py`.

`CASES` maps the name of a case to what builds its model; a name begins with the class, and ends in
`:training` where the layer is called in training.
"""

import keras
from keras import layers as L

CASES = {}

# Settings under which each class is tried, by the shapes of its inputs without the batch.
VECTOR, STEPS, IMAGE, VOLUME = (6,), (7, 4), (7, 6, 4), (5, 6, 5, 4)
BY_RANK = {1: STEPS, 2: IMAGE, 3: VOLUME}


def add(name, shapes, make, dtype="float32"):
    """A model of inputs of these shapes, one for each argument of `make`."""

    def build():
        dtypes = dtype if isinstance(dtype, list) else [dtype] * len(shapes)
        inputs = [keras.Input(shape, dtype=kind) for shape, kind in zip(shapes, dtypes)]
        return keras.Model(inputs, make(*inputs))

    CASES[name] = build


def one(class_name, shape, suffix="", **settings):
    """A model of one layer with one input."""
    add(class_name + suffix, [shape], lambda x: getattr(L, class_name)(**settings)(x))


def merging(class_name, **settings):
    add(class_name, [STEPS, STEPS], lambda *xs: getattr(L, class_name)(**settings)(list(xs)))


# Core and activations.
one("Dense", STEPS, units=3, activation="tanh")
one("Activation", VECTOR, activation="gelu")
one("EinsumDense", STEPS, equation="abc,cd->abd", output_shape=(None, 5), bias_axes="d")
one("Identity", VECTOR)
add("Embedding", [(5,)], lambda x: L.Embedding(9, 4)(x % 9), "int32")
add("ReversibleEmbedding", [VECTOR], lambda x: L.ReversibleEmbedding(8, 6)(x, reverse=True))
one("Masking", STEPS)
one("ReLU", VECTOR, max_value=1.0, negative_slope=0.2, threshold=0.1)
one("LeakyReLU", VECTOR)
one("PReLU", STEPS, shared_axes=[1])
one("ELU", VECTOR, alpha=0.7)
one("Softmax", STEPS, axis=1)

# Convolutions.
for rank, shape in BY_RANK.items():
    conv = dict(filters=4, kernel_size=3, activation="sigmoid")
    one(f"Conv{rank}D", shape, padding="same", strides=2, groups=2, **conv)
    one(f"Conv{rank}DTranspose", shape, padding="same", strides=2, **conv)
    if rank < 3:
        one(f"Conv{rank}D", shape, ":dilated", dilation_rate=2, **conv)
        one(f"SeparableConv{rank}D", shape, depth_multiplier=2, **conv)
        one(f"DepthwiseConv{rank}D", shape, kernel_size=3, depth_multiplier=2, padding="same")

# Pooling.
for rank, shape in BY_RANK.items():
    for kind in ("Max", "Average"):
        one(f"{kind}Pooling{rank}D", shape, pool_size=3, strides=2, padding="same")
        one(f"Global{kind}Pooling{rank}D", shape)
        one(f"Adaptive{kind}Pooling{rank}D", shape, output_size=3)

# Normalization.
one("BatchNormalization", IMAGE)
one("BatchNormalization", IMAGE, ":training")
one("BatchNormalization", IMAGE, ":renorm:training", renorm=True, renorm_clipping={"rmax": 1.5})
one("LayerNormalization", STEPS)
one("UnitNormalization", STEPS)
one("GroupNormalization", IMAGE, groups=2)
one("RMSNormalization", STEPS)
for suffix in ("", ":training"):
    add(
        f"SpectralNormalization{suffix}",
        [STEPS],
        lambda x: L.SpectralNormalization(L.Dense(3), power_iterations=2)(x),
    )

# Regularization: in inference these pass their inputs on.
for name in ("Dropout", "GaussianDropout", "AlphaDropout"):
    one(name, VECTOR, rate=0.3)
one("GaussianNoise", VECTOR, stddev=0.3)
one("ActivityRegularization", VECTOR, l1=0.1, l2=0.2)
for rank, shape in BY_RANK.items():
    one(f"SpatialDropout{rank}D", shape, rate=0.3)

# Reshaping.
one("Reshape", STEPS, target_shape=(4, 7))
one("Flatten", IMAGE)
one("RepeatVector", VECTOR, n=3)
one("Permute", STEPS, dims=(2, 1))
for rank, shape in BY_RANK.items():
    one(f"Cropping{rank}D", shape, cropping=1)
    one(f"ZeroPadding{rank}D", shape, padding=2)
    one(f"UpSampling{rank}D", shape, size=2)
for how in ("bilinear", "bicubic", "lanczos3"):
    one("UpSampling2D", IMAGE, f":{how}", size=2, interpolation=how)

# Attention.
add("Attention", [STEPS, STEPS], lambda q, v: L.Attention(use_scale=True)([q, v]))
add("AdditiveAttention", [STEPS, STEPS], lambda q, v: L.AdditiveAttention()([q, v]))
add("MultiHeadAttention", [STEPS, STEPS], lambda q, v: L.MultiHeadAttention(2, 3)(q, v))
add("GroupQueryAttention", [STEPS, STEPS], lambda q, v: L.GroupQueryAttention(3, 4, 2)(q, v))

# Recurrent.
for name in ("SimpleRNN", "LSTM", "GRU"):
    one(name, STEPS, units=3, return_sequences=True)
    cell = getattr(L, f"{name}Cell")
    add(f"{name}Cell", [STEPS], lambda x, cell=cell: L.RNN(cell(3))(x))
one("GRU", STEPS, ":reset before", units=3, reset_after=False)
one("LSTM", STEPS, ":backwards, masked", units=3, go_backwards=True)
add("RNN", [STEPS], lambda x: L.RNN(L.LSTMCell(3), return_state=True)(x))
add("StackedRNNCells", [STEPS], lambda x: L.RNN([L.LSTMCell(3), L.GRUCell(2)])(x))
add("TimeDistributed", [STEPS], lambda x: L.TimeDistributed(L.Dense(3))(x))
add("Bidirectional", [STEPS], lambda x: L.Bidirectional(L.LSTM(3), merge_mode="mul")(x))
for rank, shape in BY_RANK.items():
    steps = (3, *(4 for _ in shape[1:]), 2)
    one(f"ConvLSTM{rank}D", steps, filters=2, kernel_size=3, padding="same")

# Merging.
for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
    merging(name)
merging("Concatenate", axis=1)
merging("Dot", axes=2, normalize=True)

# Images and numbers. Random layers pass their inputs on in inference.
one("Rescaling", VECTOR, scale=0.3, offset=1.0)
one("Normalization", STEPS, mean=0.5, variance=2.0)
one("CenterCrop", IMAGE, height=4, width=5)
for how in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"):
    one("Resizing", IMAGE, f":{how}", height=4, width=9, interpolation=how)
one("Resizing", IMAGE, ":crop", height=4, width=9, crop_to_aspect_ratio=True)
PHOTO = (6, 6, 3)
one("Solarization", PHOTO, value_range=(-4, 4), addition_factor=0.2, threshold_factor=0.5)
one("AutoContrast", PHOTO, value_range=(-4, 4))
one("RandomCrop", PHOTO, height=4, width=4)
for name, settings in {
    "RandomBrightness": {"factor": 0.3},
    "RandomColorDegeneration": {"factor": 0.3},
    "RandomColorJitter": {},
    "RandomContrast": {"factor": 0.3},
    "RandomElasticTransform": {},
    "RandomErasing": {},
    "RandomFlip": {},
    "RandomGaussianBlur": {},
    "RandomGrayscale": {},
    "RandomHue": {"factor": 0.3},
    "RandomInvert": {},
    "RandomPerspective": {},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.3},
    "RandomSaturation": {"factor": 0.3},
    "RandomSharpness": {"factor": 0.3},
    "RandomShear": {},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3},
    "RandomZoom": {"height_factor": 0.3},
    "AugMix": {},
    "RandAugment": {},
}.items():
    one(name, PHOTO, **settings)
add(
    "Pipeline",
    [VECTOR],
    lambda x: L.Pipeline([L.Rescaling(0.5), L.Rescaling(2.0, offset=1.0)])(x),
)
add("STFTSpectrogram", [(64, 1)], lambda x: L.STFTSpectrogram(frame_length=16, frame_step=8)(x))
add("MelSpectrogram", [(64,)], lambda x: L.MelSpectrogram(16, 8, 16, sampling_rate=100, num_mel_bins=5)(x))


def applications():
    """Layers that networks of `keras.applications` define for themselves."""
    from keras.src.applications import convnext

    one_of = {
        "LayerScale": lambda x: convnext.LayerScale(1.0, 4)(x),
        "StochasticDepth": lambda x: convnext.StochasticDepth(0.3)(x),
    }
    for name, make in one_of.items():
        add(name, [IMAGE], make)


applications()
