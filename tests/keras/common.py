"""What every script here shares: the backend, seeds, random weights, and how a model is recorded.

A recorded model is a pair of files: `NAME.keras`, written by Keras, and `NAME.npz`, holding the
inputs `x0`, `x1`, ... in the order of `model.inputs` and Keras's own predictions `y0`, `y1`, ... in
the order of its flattened outputs.
"""

import contextlib
import datetime
import os
import time
import types
import unittest.mock
import zipfile
import zlib

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import tree  # noqa: E402
from keras.src.saving import saving_lib  # noqa: E402

# Written into the files instead of the time of day, so that a second run gives equal files.
FIXED_TIME = datetime.datetime(2026, 1, 1)

STEPS = 5  # the extent of an open axis of an input
SMALL = 5  # integers of inputs are less


def generator(name):
    """A random generator that depends on `name` alone."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def fresh(name):
    """Forgets earlier models (automatic names start at 0 again) and seeds Keras from `name`."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(zlib.crc32(name.encode()) % 2**31)


def randomize(model, rng):
    """Gives every floating-point weight random values, batch-norm statistics included."""
    for variable in model.weights:
        if "float" in variable.dtype:
            variable.assign(random_weight(variable, rng))
    for layer in model._flatten_layers():
        # Normalization computes with a copy of its weights that only this method refreshes.
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def random_weight(variable, rng):
    """Values that keep activations near 1: each kind of weight has its usual range."""
    shape, name = tuple(variable.shape), variable.path.rsplit("/", 1)[-1]
    if name == "gamma":
        return rng.normal(1.0, 0.2, shape)
    if "variance" in name:
        return rng.uniform(0.5, 1.5, shape)
    if "kernel" in name or "embeddings" in name:
        fan_in = max(1, int(np.prod(shape[:-1])))
        if name == "depthwise_kernel":
            fan_in //= shape[-2]
        return rng.normal(0.0, 1.4 / np.sqrt(fan_in), shape)
    return rng.normal(0.0, 0.3, shape)


def random_inputs(model, rng, batch):
    """One array per model input, in the order of `model.inputs`: normal numbers, small integers, or
    booleans. An open extent becomes `STEPS`."""
    return [random_input(leaf, rng, batch) for leaf in inputs_of(model)]


def inputs_of(model):
    """A distiller takes what its student takes."""
    return getattr(model, "student", model).inputs


def random_input(leaf, rng, batch):
    shape = (batch, *(STEPS if extent is None else extent for extent in leaf.shape[1:]))
    if "float" in leaf.dtype:
        return rng.normal(0.0, 1.0, shape).astype("float32")
    return rng.integers(0, 2 if leaf.dtype == "bool" else SMALL, shape).astype(leaf.dtype)


def predict(model, flat_inputs):
    """Keras's outputs, flattened, for inputs in the order of `model.inputs`."""
    structure = getattr(model, "_inputs_struct", None)
    inputs = tree.pack_sequence_as(structure, flat_inputs) if structure is not None else flat_inputs
    if isinstance(inputs, list) and len(inputs) == 1:
        inputs = inputs[0]
    outputs = model.predict(inputs, verbose=0, batch_size=len(flat_inputs[0]))
    return [np.asarray(leaf) for leaf in tree.flatten(outputs)]


def numbered(arrays, letter):
    """`{"x0": first, "x1": second, ...}`"""
    return {f"{letter}{i}": array for i, array in enumerate(arrays)}


def read_arrays(path, letter):
    """The arrays `x0`, `x1`, ... of an npz file, in order, where `letter` is "x"."""
    with np.load(path) as arrays:
        count = sum(key.startswith(letter) for key in arrays.files)
        return [arrays[f"{letter}{i}"] for i in range(count)]


def write_npz(path, arrays):
    """Like `numpy.savez_compressed`, with a fixed date in the archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", FIXED_TIME.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)


@contextlib.contextmanager
def fixed_clock():
    """Lets Keras and zipfile see `FIXED_TIME`."""
    now = types.SimpleNamespace(datetime=types.SimpleNamespace(now=lambda: FIXED_TIME))
    local = time.struct_time(FIXED_TIME.timetuple())
    with (
        unittest.mock.patch.object(saving_lib, "datetime", now),
        unittest.mock.patch("time.localtime", lambda *_: local),
    ):
        yield


def record(model, inputs, directory, name):
    """Writes `NAME.keras` and `NAME.npz`; returns the outputs.

    Before that it checks that the outputs are usable and that Keras itself, which cannot reload
    every model that it writes, gives the same outputs from the file.
    """
    outputs = predict(model, inputs)
    for i, output in enumerate(outputs):
        check_usable(f"{name} output {i}", output)
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"{name}.keras")
    with fixed_clock():
        model.save(path)
    for i, again in enumerate(predict(keras.saving.load_model(path), inputs)):
        if not np.array_equal(again, outputs[i]):
            raise ValueError(f"{name} output {i} differs after loading")
    write_npz(
        os.path.join(directory, f"{name}.npz"), numbered(inputs, "x") | numbered(outputs, "y")
    )
    return outputs


def check_usable(what, output):
    """Fails when an output is not finite or so flat that a wrong computation could pass."""
    if not np.all(np.isfinite(output)):
        raise ValueError(f"{what} is not finite")
    if output.size > 1 and np.ptp(output) < 1e-3 * np.max(np.abs(output)):
        raise ValueError(f"{what} is flat: {output.ravel()[:5]}")
