"""The workloads that all peers compute, as models that Keras builds and saves.

Weights are random: no time depends on them. `build` gives the model of a name, `inputs` a batch for
it. A product of matrices is a model of one operation, so that every peer is asked in the same way.
"""

import re

MATRICES = (256, 512, 1024, 2048, 4096)
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
# Units of each dense layer, 64 MiB of weights, and how many layers are 1 GiB.
FILE_UNITS, FILE_LAYERS = 4096, 16

STEPS, UNITS, FEATURES = 128, 256, 256
SEQUENCE, WIDTH, HEADS, LAYERS, VOCABULARY = 128, 768, 12, 12, 30_522

# name -> batch sizes, None where there is none
ALL = {
    **{f"matmul_{n}": (1,) for n in MATRICES},
    **{f"matmul_{n}_f16": (1,) for n in MATRICES},
    **{"conv_" + "_".join(map(str, conv)): (1,) for conv in CONVOLUTIONS},
    **{name: (1,) for name in ("softmax", "layernorm")},
    **{name: (1, 32) for name in NETWORKS},
    "train_cnn": (32,),
    "train_encoder": (1,),
    "load_1gib": (None,),
    "save_1gib": (None,),
}


def trains(name):
    """Whether a run is a step of training instead of a prediction."""
    return name.startswith("train_")


def of_files(name):
    """What is done with a file: `load` or `save` in a list, or nothing."""
    return re.findall(r"(load|save)_1gib", name)


def build(name):
    """The Keras model of a workload."""
    import keras

    keras.utils.set_random_seed(1)
    product = matrices(name)
    if product:
        return matmul(keras, *product)
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
        "load_1gib": lambda: large(keras),
        "save_1gib": lambda: large(keras),
    }[name]()


def matrices(name):
    """Extent and data type of a product of matrices; None for other workloads."""
    found = re.fullmatch(r"matmul_(\d+)(_f16)?", name)
    return found and (int(found[1]), "float16" if found[2] else "float32")


def large(keras):
    layers = [keras.layers.Dense(FILE_UNITS) for _ in range(FILE_LAYERS)]
    return keras.Sequential([keras.Input((FILE_UNITS,)), *layers])


def matmul(keras, n, dtype):
    a = keras.Input((n, n), dtype=dtype)
    b = keras.Input((n, n), dtype=dtype)
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
    product = matrices(name)
    if product:
        n, dtype = product
        return [rng.normal(size=(batch, n, n)).astype(dtype) for _ in range(2)]
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
