"""Models whose files hold what a reader may stumble over, with the predictions of Keras.

    python make_traps.py FOLDER

Writes NAME.keras or NAME.h5, and NAME.npz with inputs x0, ... and predictions y0, ...
"""

import os
import shutil
import sys
import zipfile

os.environ["KERAS_BACKEND"] = "numpy"

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402


def not_finite():
    """Bare NaN, Infinity and -Infinity in the config."""
    bad = keras.initializers.Constant(float("nan"))
    x = keras.Input((3,))
    y = layers.Dense(4, bias_initializer=bad)(x)
    y = layers.ReLU(max_value=float("inf"))(y)
    y = layers.Dense(2, kernel_initializer=keras.initializers.Constant(float("-inf")))(y)
    return keras.Model(x, y)


def many_of_a_class():
    """More than ten layers of one class: dense_10 before dense_2 by name."""
    return keras.Sequential([keras.Input((4,)), *[layers.Dense(4, "tanh") for _ in range(13)]])


def shared():
    """One layer called twice, and one model called twice."""
    dense = layers.Dense(4, name="shared")
    inner_input = keras.Input((4,))
    inner = keras.Model(inner_input, layers.Dense(4, "tanh")(inner_input), name="inner")
    x = keras.Input((4,))
    return keras.Model(x, layers.Add()([dense(dense(x)), inner(inner(x))]))


def two_owners():
    """One layer in two models, the weights of which are saved once."""
    dense = layers.Dense(4, name="shared")
    inner_input = keras.Input((4,))
    inner = keras.Model(inner_input, layers.Dense(4)(dense(inner_input)), name="inner")
    x = keras.Input((4,))
    return keras.Model(x, layers.Add()([dense(x), inner(x)]))


def many_weights():
    """An object with more than ten variables of its own."""
    return keras.Sequential([keras.Input((5, 4)), layers.Bidirectional(layers.GRU(3)), layers.Dense(2)])


def lora():
    """A trained pair of low rank: the file holds its product with the kernel."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, name="adapted"), layers.Dense(2)])
    model.layers[0].enable_lora(2, lora_alpha=3.0)
    return model


def wrapped():
    """Layers in wrappers: their records lack the module in the older format."""
    x = keras.Input((5, 4))
    y = layers.TimeDistributed(layers.Dense(3, activation="relu"))(x)
    y = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(y)
    y = layers.RNN(layers.GRUCell(2))(y)
    return keras.Model(x, y)


def mixed():
    """Under mixed_float16 the stored optimizer is one that scales losses, and the config names the inner."""
    policy = keras.DTypePolicy("mixed_float16")
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, dtype=policy), layers.Dense(1, dtype=policy)])


def nadam():
    """Momentum and velocity by pairs, the product of momenta last."""
    return keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(1)])


def constant_in_call():
    """Arrays, slices and an infinity among the arguments of a call, and an argument by its name."""
    x = keras.Input((4, 3))
    y = keras.ops.add(x, np.arange(3, dtype="float32"))[:, 1:, ..., ::-1]
    return keras.Model(x, layers.Dense(2)(inputs=keras.ops.minimum(y, float("inf"))))


MODELS = [not_finite, many_of_a_class, shared, two_owners, many_weights, lora, wrapped, mixed]
MODELS += [nadam, constant_in_call]
OPTIMIZERS = {"mixed": "adam", "nadam": "nadam", "shared": "adamw"}


def prepare(model, name, rng):
    for variable in model.variables:
        variable.assign(rng.uniform(-0.5, 0.5, variable.shape))
    if name in OPTIMIZERS:
        model.compile(OPTIMIZERS[name], "mse")
        model.optimizer.build(model.trainable_variables)
        for variable in model.optimizer.variables[2:]:
            variable.assign(np.abs(rng.uniform(1, 5, variable.shape)).astype(variable.dtype))


def add_members(source, target):
    """A copy that is deflated, without metadata, and with members that no one asked for."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in ["model.weights.h5", "config.json"]:
            new.writestr(name, old.read(name))
        new.writestr("README.md", "a note")
        new.writestr("extra/", "")
        new.writestr("assets/notes/other.txt", "b")


def main(folder):
    for build in MODELS:
        name = build.__name__
        rng = np.random.default_rng(len(name))
        keras.utils.clear_session()
        model = build()
        prepare(model, name, rng)
        inputs = [rng.normal(size=(3, *x.shape[1:])).astype("float32") for x in model.inputs]
        outputs = keras.tree.flatten(model(inputs[0] if len(inputs) == 1 else inputs))
        arrays = {f"x{i}": x for i, x in enumerate(inputs)}
        arrays |= {f"y{i}": np.asarray(y, "float32") for i, y in enumerate(outputs)}
        path = os.path.join(folder, name)
        np.savez(f"{path}.npz", **arrays)
        model.save(f"{path}.keras")
        if name == "wrapped":
            model.save(f"{path}.h5")
        if name == "shared":
            add_members(f"{path}.keras", os.path.join(folder, "members.keras"))
            shutil.copy(f"{path}.npz", os.path.join(folder, "members.npz"))


if __name__ == "__main__":
    main(sys.argv[1])
