"""Writes the same models with several versions of Keras, in every form that each version writes.

    python make_versions.py VERSIONS ../models/versions

VERSIONS is a folder with one folder for each version, such as `pip install --no-deps --target` makes.
Each gets `VERSION/NAME.keras`, `.h5` and `.weights.h5`; `NAME.npz` holds inputs and the predictions
of the newest version. All models have the same weights and the same state of the optimizer.
"""

import os
import subprocess
import sys
from pathlib import Path

NEWEST = "3.15.1"


def sequential(keras):
    """Convolution, batch normalization with its moving statistics, Adam with its state."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((6, 6, 2)),
            layers.Conv2D(3, 3, padding="same", activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Flatten(name="flat"),
            layers.Dropout(0.25, name="drop"),
            layers.Dense(4, activation="softmax", name="out"),
        ],
        name="sequential_model",
    )
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    return model


def functional(keras):
    """Two inputs, two outputs, a shared layer, a model in the model, merging, momentum."""
    layers = keras.layers
    a, b = layers.Input((5,), name="a"), layers.Input((5,), name="b")
    shared = layers.Dense(3, activation="tanh", name="shared")
    inner_input = layers.Input((3,), name="inner_input")
    inner_output = layers.Dense(2, kernel_regularizer="l2", name="inner_dense")(inner_input)
    inner = keras.Model(inner_input, inner_output, name="inner")
    x, y = shared(a), shared(b)
    joined = layers.Concatenate(name="joined")([inner(x), inner(y)])
    first = layers.LayerNormalization(name="first")(joined)
    second = layers.Add(name="second")([x, y])
    model = keras.Model([a, b], [first, second], name="functional_model")
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), ["mse", "mse"])
    return model


def recurrent(keras):
    """Masks through an embedding, recurrent layers in both directions, orthogonal initializers."""
    layers = keras.layers
    tokens = layers.Input((4,), dtype="int32", name="tokens")
    x = layers.Embedding(7, 3, mask_zero=True, name="embedding")(tokens)
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True, name="lstm"), name="both")(x)
    x = layers.GRU(3, name="gru")(x)
    model = keras.Model(tokens, layers.Dense(1, name="out")(x), name="recurrent_model")
    model.compile(keras.optimizers.RMSprop(0.01), "mse")
    return model


def operations(keras):
    """Operations as nodes, with attributes and constants."""
    x = keras.layers.Input((4,), name="x")
    y = keras.layers.Dense(3, name="dense")(x)
    y = keras.ops.relu(y) * 2.0 + 1.0
    y = keras.ops.concatenate([y, keras.ops.sum(y, axis=-1, keepdims=True)], axis=-1)
    return keras.Model(x, y, name="operations_model")


MODELS = [sequential, functional, recurrent, operations]


def random_inputs(model, rng):
    import numpy as np

    def one(tensor, integer):
        shape = (3, *tensor.shape[1:])
        if integer:
            return rng.integers(0, 7, shape).astype("int32")
        return rng.normal(size=shape).astype("float32")

    return [one(x, "int" in x.dtype) for x in model.inputs]


def write(target):
    import keras
    import numpy as np

    for build in MODELS:
        name = build.__name__
        rng = np.random.default_rng(len(name))
        keras.utils.clear_session()
        model = build(keras)
        model.set_weights([rng.uniform(0.1, 0.5, w.shape) for w in model.get_weights()])
        inputs = random_inputs(model, rng)
        single = inputs[0] if len(inputs) == 1 else inputs
        if getattr(model, "optimizer", None):
            # As if it had trained; not every version still trains with the other packages of today.
            model.optimizer.build(model.trainable_variables)
            for variable in model.optimizer.variables[2:]:
                variable.assign(rng.uniform(0.1, 0.5, variable.shape))
        model.save(target / f"{name}.keras")
        if name in ("sequential", "functional"):
            model.save(target / f"{name}.h5")
            model.save_weights(target / f"{name}.weights.h5")
        if target.name == NEWEST:
            outputs = model.predict(single, verbose=0)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            named = {f"x{i}": x for i, x in enumerate(inputs)}
            named |= {f"y{i}": y for i, y in enumerate(outputs)}
            np.savez_compressed(target.parent / f"{name}.npz", **named)


def main():
    if len(sys.argv) == 2:
        return write(Path(sys.argv[1]))
    versions, target = Path(sys.argv[1]), Path(sys.argv[2])
    for folder in sorted(versions.iterdir()):
        if not (folder / "keras").is_dir():
            continue
        out = target / folder.name
        out.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ, PYTHONPATH=str(folder), KERAS_BACKEND="jax")
        subprocess.run([sys.executable, "-W", "ignore", __file__, str(out)], env=environment, check=True)


main()
