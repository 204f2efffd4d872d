"""The workloads that all peers compute, as models that Keras builds and saves.

Weights are random: no time depends on them. `build` gives the model of a name, `inputs` a batch for
it. A product of matrices is a model of one operation, so that every peer is asked in the same way.
"""

import re

MATRICES = (256, 512, 1024, 2048)
NETWORKS = ("mobilenet_v2", "resnet50", "encoder", "lstm", "gru")
# Of ResNet50: kernel, channels in and out, size of the image, stride.
CONVOLUTIONS = (
    (7, 3, 64, 224, 2),
    (3, 64, 64, 56, 1),
    (1, 64, 256, 56, 1),
    (3, 128, 128, 28, 1),
    (1, 512, 128, 28, 1),
    (3, 256, 256, 14, 1),
    (3, 512, 512, 7, 1),
)
ROWS = (4096, 1024)

STEPS, UNITS, FEATURES = 128, 256, 256
SEQUENCE, WIDTH, HEADS, LAYERS, VOCABULARY = 128, 768, 12, 12, 30_522

# name -> batch sizes
ALL = {
    **{f"matmul_{n}": (1,) for n in MATRICES},
    **{"conv_" + "_".join(map(str, conv)): (1,) for conv in CONVOLUTIONS},
    **{name: (1,) for name in ("softmax", "layernorm")},
    **{name: (1, 32) for name in NETWORKS},
    "train_cnn": (32,),
    "train_encoder": (1,),
}


def trains(name):
    """Whether a run is a step of training instead of a prediction."""
    return name.startswith("train_")


def build(name):
    """The Keras model of a workload."""
    import keras

    keras.utils.set_random_seed(1)
    product = re.fullmatch(r"matmul_(\d+)", name)
    if product:
        return matmul(keras, int(product[1]))
    if name.startswith("conv_"):
        return convolution(keras, *map(int, name.split("_")[1:]))
    return {
        "mobilenet_v2": lambda: keras.applications.MobileNetV2(weights=None),
        "resnet50": lambda: keras.applications.ResNet50(weights=None),
        "encoder": lambda: encoder(keras),
        "lstm": lambda: recurrent(keras, keras.layers.LSTM),
        "gru": lambda: recurrent(keras, keras.layers.GRU),
        "softmax": lambda: rows(keras, keras.layers.Softmax()),
        "layernorm": lambda: rows(keras, keras.layers.LayerNormalization()),
        "train_cnn": lambda: small_network(keras),
        "train_encoder": lambda: compiled(encoder(keras), "mean_squared_error"),
    }[name]()


def matmul(keras, n):
    a = keras.Input((n, n))
    b = keras.Input((n, n))
    return keras.Model([a, b], keras.ops.matmul(a, b))


def convolution(keras, kernel, inner, outer, size, stride):
    x = keras.Input((size, size, inner))
    layer = keras.layers.Conv2D(outer, kernel, stride, padding="same", use_bias=False)
    return keras.Model(x, layer(x))


def rows(keras, layer):
    x = keras.Input(ROWS)
    return keras.Model(x, layer(x))


def compiled(model, loss):
    model.compile(optimizer="adam", loss=loss)
    return model


def small_network(keras):
    layers = keras.layers
    stack = [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]
    return compiled(keras.Sequential(stack), "sparse_categorical_crossentropy")


def recurrent(keras, layer):
    x = keras.Input((STEPS, FEATURES))
    return keras.Model(x, layer(UNITS)(x))


def encoder(keras):
    """An encoder of BERT-base's size, from embeddings to the last hidden state."""
    layers = keras.layers
    tokens = keras.Input((SEQUENCE,), dtype="int32")
    x = layers.Embedding(VOCABULARY, WIDTH)(tokens)
    x = layers.LayerNormalization(epsilon=1e-12)(x)
    for _ in range(LAYERS):
        attention = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(x, x)
        x = layers.LayerNormalization(epsilon=1e-12)(x + attention)
        hidden = layers.Dense(4 * WIDTH, activation="gelu")(x)
        x = layers.LayerNormalization(epsilon=1e-12)(x + layers.Dense(WIDTH)(hidden))
    return keras.Model(tokens, x)


def inputs(name, batch):
    """A batch for a workload: a list of arrays."""
    import numpy as np

    rng = np.random.default_rng(7)
    product = re.fullmatch(r"matmul_(\d+)", name)
    if product:
        n = int(product[1])
        return [rng.normal(size=(batch, n, n)).astype("float32") for _ in range(2)]
    if name.endswith("encoder"):
        return [rng.integers(0, VOCABULARY, (batch, SEQUENCE)).astype("int32")]
    shape = shape_of(name)
    return [rng.normal(size=(batch, *shape)).astype("float32")]


def shape_of(name):
    """The shape of a model's input of floats, without the batch."""
    if name.startswith("conv_"):
        _, _, inner, _, size, _ = name.split("_")
        return int(size), int(size), int(inner)
    if name in ("lstm", "gru"):
        return STEPS, FEATURES
    if name in ("softmax", "layernorm"):
        return ROWS
    return (28, 28, 1) if name == "train_cnn" else (224, 224, 3)


def labels(name, batch):
    """What a step of training is told."""
    import numpy as np

    if name == "train_cnn":
        return np.arange(batch, dtype="int32") % 10
    return np.zeros((batch, SEQUENCE, WIDTH), "float32")
