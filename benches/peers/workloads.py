"""The workloads that all peers compute, as models that Keras builds and saves.

Weights are random: no time depends on them. `build` gives the model of a name, `inputs` a batch for
it. A product of matrices is a model of one operation, so that every peer is asked in the same way.
"""

import re

MATRICES = (256, 512, 1024, 2048)
NETWORKS = ("mobilenet_v2", "resnet50", "encoder", "lstm", "gru")

STEPS, UNITS, FEATURES = 128, 256, 256
SEQUENCE, WIDTH, HEADS, LAYERS, VOCABULARY = 128, 768, 12, 12, 30_522

# name -> batch sizes
ALL = {
    **{f"matmul_{n}": (1,) for n in MATRICES},
    **{name: (1, 32) for name in NETWORKS},
}


def build(name):
    """The Keras model of a workload."""
    import keras

    keras.utils.set_random_seed(1)
    product = re.fullmatch(r"matmul_(\d+)", name)
    if product:
        return matmul(keras, int(product[1]))
    return {
        "mobilenet_v2": lambda: keras.applications.MobileNetV2(weights=None),
        "resnet50": lambda: keras.applications.ResNet50(weights=None),
        "encoder": lambda: encoder(keras),
        "lstm": lambda: recurrent(keras, keras.layers.LSTM),
        "gru": lambda: recurrent(keras, keras.layers.GRU),
    }[name]()


def matmul(keras, n):
    a = keras.Input((n, n))
    b = keras.Input((n, n))
    return keras.Model([a, b], keras.ops.matmul(a, b))


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
    if name == "encoder":
        return [rng.integers(0, VOCABULARY, (batch, SEQUENCE)).astype("int32")]
    shape = (STEPS, FEATURES) if name in ("lstm", "gru") else (224, 224, 3)
    return [rng.normal(size=(batch, *shape)).astype("float32")]
