"""Random Functional models: random_models.py OUTDIR [--count N] [--first SEED]

Model number S is made from the generator with seed S, so a failure can be repeated with
`--first S --count 1`. Layers come from `random_layers.py`, which knows every class of `keras.layers`
or says why it leaves it out. Each model is recorded as `random_S.keras` and `random_S.npz`; beside
inputs and outputs the latter holds `d0`, `d1`, ...: how far each output moves with roundings.
"""

import argparse
import collections
import contextlib
import multiprocessing
import os
import unittest.mock
import warnings

# Hundreds of small programs: XLA takes longer to optimise one than to run it.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import common
import keras
import numpy as np
import random_layers
from keras import layers, ops
from keras.src.initializers.random_initializers import RandomInitializer
from random_layers import Draw

BATCH = 2
POLICIES = ["float32"] * 8 + ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16"]
INPUT_SHAPES = [
    (6,), (1,), (5, 4), (7, 3), (None, 4), (8, 8, 3), (6, 7, 2), (9, 5, 4), (4, 5, 4, 2),
    (None, None, 3), (6, None, 2),
]  # fmt: skip
TOKEN_TYPES = ["int32", "int32", "int64", "uint8", "int8", "bool", "uint16", "int16", "uint32"]
DEPTH = 4  # models within models


@contextlib.contextmanager
def quick_weights():
    """Zeros from every random initializer: the weights are drawn later, and faster."""

    def zeros(self, shape, dtype=None, **_):
        return ops.zeros(shape, dtype=dtype or "float32")

    with contextlib.ExitStack() as stack:
        for name in dir(keras.initializers):
            kind = getattr(keras.initializers, name)
            if isinstance(kind, type) and issubclass(kind, RandomInitializer):
                stack.enter_context(unittest.mock.patch.object(kind, "__call__", zeros))
        yield


def chain(draw, tensors, length):
    """Applies random layers to random ones of `tensors`, which it extends; the later the likelier."""
    used = set()
    for _ in range(length):
        for _ in range(30):
            weights = np.arange(1, len(tensors) + 1) ** 2.0
            index = draw.rng.choice(len(tensors), p=weights / weights.sum())
            found = random_layers.apply(draw, tensors, index)
            if found is None:
                continue
            outputs, inputs = found
            used.update(id(tensor) for tensor in inputs)
            tensors.extend(outputs)
            break
    return used


def nested(draw, x, depth=1):
    """A model within the model, called up to three times: Functional or Sequential."""
    inner = keras.Input(x.shape[1:], dtype=x.dtype)
    if draw.chance(0.3):
        model = keras.Sequential()
        if draw.flag():
            model.add(inner)
        for _ in range(draw.between(1, 3)):
            model.add(draw.pick([layers.Dense(draw.between(1, 4)), layers.Activation("tanh"), layers.Dropout(0.2)]))
    else:
        tensors = [inner]
        chain(draw, tensors, draw.between(1, 4))
        if tensors[-1] is inner:
            return x
        output = tensors[-1]
        if depth < DEPTH and "float" in output.dtype and draw.chance(0.5):
            output = nested(draw, output, depth + 1)
        model = keras.Model(inner, output)
    calls = [model(x), model(x * 0.5), model(x + 1.0)][: draw.pick([1, 1, 2, 3])]
    return layers.Add()(calls) if len(calls) > 1 else calls[0]


def sequential(draw):
    """A chain of layers, whose input Keras learns from the first one, or from the first call."""
    shape = draw.pick(INPUT_SHAPES)
    tensors = [keras.Input(shape)]
    chain_of = []
    for _ in range(draw.between(2, 6)):
        for _ in range(20):
            found = random_layers.apply(draw, tensors[-1:], 0)
            if found is None or len(found[0]) > 1:
                continue
            layer = found[0][0]._keras_history.operation
            if isinstance(layer, layers.Layer) and len(layer._inbound_nodes) == 1:
                chain_of.append(layer)
                tensors.append(layer.output)
                break
    if not chain_of:
        return None
    if draw.flag():
        return keras.Sequential([keras.Input(shape), *chain_of])
    model = keras.Sequential(chain_of)
    model.build((None, *shape))
    return model


def random_leaves(draw):
    """The inputs of a model."""
    shapes = [draw.pick(INPUT_SHAPES) for _ in range(draw.pick([1, 1, 2, 3]))]
    batch = BATCH if draw.chance(0.1) else None
    inputs = [keras.Input(shape, batch, name=f"input_{i}") for i, shape in enumerate(shapes)]
    if draw.chance(0.3):
        steps = draw.pick([5, 7, None])
        inputs.append(keras.Input((steps,), batch, draw.pick(TOKEN_TYPES), name="tokens"))
    return inputs


def build(seed):
    """The model of a seed."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    draw = Draw(np.random.default_rng(seed))
    keras.config.set_dtype_policy(draw.pick(POLICIES))
    try:
        if draw.chance(0.1) and (model := sequential(draw)) is not None:
            return model
        inputs = random_leaves(draw)
        tensors = list(inputs)
        used = chain(draw, tensors, draw.between(3, 10))
        if draw.chance(0.3):
            floats = [x for x in tensors if "float" in x.dtype]
            tensors.append(nested(draw, floats[-1]))
        outputs = [x for x in tensors if id(x) not in used][-3:]
        # Keras wants every input to lead to an output.
        loose = [x for x in inputs if id(x) not in used and not any(x is y for y in outputs)]
        outputs = [
            layers.Identity()(x) if any(x is y for y in inputs) else x for x in [*outputs, *loose]
        ]
        inputs = draw.structure(inputs, [x.name for x in inputs])
        return keras.Model(inputs, draw.structure(outputs))
    finally:
        keras.config.set_dtype_policy("float32")


def roundings(model):
    """The relative size of one rounding in the coarsest type that the model computes in."""
    types = {layer.compute_dtype for layer in model._flatten_layers()}
    return {"bfloat16": 2.0**-8, "float16": 2.0**-11}.get(
        min(types & {"bfloat16", "float16"}, default="float32"), 2.0**-22
    )


def sensitivity(model, inputs, outputs, rng):
    """How far each output moves when inputs and weights move by one rounding.

    Two right computations may lie as far apart: what cancels in a sum, or follows a step function,
    says nothing about either.
    """
    size = roundings(model)

    def moved(array):
        array = np.asarray(array)
        factor = 1 + size * rng.uniform(-1, 1, array.shape)
        return (array * factor).astype(array.dtype) if "float" in array.dtype.name else array

    weights = [np.asarray(weight) for weight in model.weights]
    distances = [0.0] * len(outputs)
    for _ in range(3):
        for variable, weight in zip(model.weights, weights):
            variable.assign(moved(weight))
        for i, again in enumerate(common.predict(model, [moved(x) for x in inputs])):
            difference = np.abs(again.astype("float64") - outputs[i].astype("float64"))
            distances[i] = max(distances[i], np.max(difference[np.isfinite(difference)], initial=0))
    for variable, weight in zip(model.weights, weights):
        variable.assign(weight)
    return [np.float64(distance) for distance in distances]


def make(seed, directory):
    """Records the model of a seed and returns the classes it holds.

    A model without recorded outputs is one that Keras itself cannot load or run.
    """
    with quick_weights():
        model = build(seed)
    rng = common.generator(f"weights {seed}")
    common.randomize(model, rng)
    inputs = common.random_inputs(model, rng, BATCH)
    path = os.path.join(directory, f"random_{seed}")
    with common.fixed_clock():
        model.save(f"{path}.keras")
    # What counts is what Keras makes of the file: some layers lose a part of their settings in it.
    model = keras.saving.load_model(f"{path}.keras")
    outputs = common.predict(model, inputs)
    arrays = common.numbered(inputs, "x") | common.numbered(outputs, "y")
    arrays |= common.numbered(sensitivity(model, inputs, outputs, rng), "d")
    common.write_npz(f"{path}.npz", {k: widened(v) for k, v in arrays.items()})
    return [type(layer).__name__ for layer in model._flatten_layers()]


def widened(array):
    """bfloat16, which an npz file cannot name, as float32."""
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def attempt(seed, directory):
    """The classes of a seed's model, or what stopped Keras."""
    warnings.simplefilter("ignore")
    try:
        return make(seed, directory), None
    except Exception as error:  # what Keras itself cannot build, run or save is no case
        return [], f"random_{seed}: {type(error).__name__}: {str(error)[:200]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir")
    parser.add_argument("--count", type=int, default=340)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    random_layers.check_complete()
    os.makedirs(arguments.outdir, exist_ok=True)
    seeds = range(arguments.first, arguments.first + arguments.count)
    classes, failed = collections.Counter(), 0
    # Compiled programs pile up in a process, so each makes some models only.
    with multiprocessing.get_context("spawn").Pool(arguments.jobs, maxtasksperchild=100) as pool:
        work = [(seed, arguments.outdir) for seed in seeds]
        for names, error in pool.starmap(attempt, work, chunksize=1):
            classes.update(names)
            if error:
                failed += 1
                print(error)
    print(f"{arguments.count - failed} models; Keras refused {failed}; classes:")
    print(", ".join(f"{name} {count}" for name, count in sorted(classes.items())))


if __name__ == "__main__":
    main()
