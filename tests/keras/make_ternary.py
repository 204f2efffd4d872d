"""Writes the recorded models of ternary weights, which came with Keras 3.16: make_ternary.py OUTDIR

Not run by `make recordings`: it needs Keras 3.16, of which there were only nightly builds when the files were
made (`pip install --pre --target FOLDER keras-nightly==3.16.0.dev2026102704`, then `PYTHONPATH=FOLDER`).
`trained.npz` holds besides the inputs `x0` and outputs `y0` the targets `t0` and, as `w0`, `w1`, ...,
the weights after two steps of stochastic gradient descent on them.
"""

import os
import sys

import common
import keras
from keras import layers
from keras.layers import TernaryDense

BATCH = 5


def model(*stack):
    return keras.Sequential([layers.Input((7,)), *stack])


def trained():
    ternary = model(TernaryDense(6, activation="tanh"), TernaryDense(3, threshold=0.1, use_bias=False))
    ternary.compile(keras.optimizers.SGD(0.5), "mse")
    return ternary


def half():
    return model(TernaryDense(6, dtype="mixed_float16"), TernaryDense(3, dtype="bfloat16"))


def frozen():
    ternary = trained()
    common.randomize(ternary, common.generator("frozen"))
    ternary.quantize("ternary")
    return ternary


def dense():
    floats = model(layers.Dense(11, activation="relu"), layers.Dense(3, use_bias=False))
    common.randomize(floats, common.generator("dense"))
    floats.quantize("ternary")
    return floats


def steps(ternary, path, rng):
    """Adds targets, and the weights after two steps on them, to the recorded arrays."""
    x, y = common.read_arrays(path, "x")[0], common.read_arrays(path, "y")[0]
    targets = rng.normal(0.0, 1.0, y.shape).astype("float32")
    for _ in range(2):
        ternary.train_on_batch(x, targets)
    weights = common.numbered([variable.numpy() for variable in ternary.weights], "w")
    common.write_npz(path, {"x0": x, "y0": y, "t0": targets} | weights)


def main(directory):
    for build in (trained, half, frozen, dense):
        name = build.__name__
        common.fresh(name)
        rng = common.generator(name)
        made = build()
        if made.layers[0].quantization_mode is None:
            common.randomize(made, rng)
        common.record(made, common.random_inputs(made, rng, BATCH), directory, name)
        if made.compiled and made.layers[0].quantization_mode is None:
            steps(made, os.path.join(directory, f"{name}.npz"), rng)


if __name__ == "__main__":
    main(sys.argv[1])
