"""Writes models that Keras calls but cannot compile with JAX: make_eager.py OUTDIR

Each is a pair: `NAME.keras`, and `NAME.npz` with the input `x0` and what a call gives, `y0`.
"""

import os
import sys

import common
import keras
import numpy as np
from keras.src.legacy.layers import ThresholdedReLU
from keras.src.quantizers.quantizers import FakeQuantWithMinMaxVars

LOWS, HIGHS = np.array([-1, -2, -3, -0.5], "float32"), np.array([1, 2, 3, 0.25], "float32")

LAYERS = {
    "fake_quant": lambda x: FakeQuantWithMinMaxVars()(x, -6.0, 6.0),
    "fake_quant_narrow": lambda x: FakeQuantWithMinMaxVars(num_bits=4, narrow_range=True)(x, -3.0, 5.0),
    "fake_quant_channels": lambda x: FakeQuantWithMinMaxVars(axis=1)(x, LOWS, HIGHS),
    "thresholded_relu": lambda x: ThresholdedReLU(theta=1.5)(x),
}


def make(name, directory):
    common.fresh(name)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, LAYERS[name](inputs))
    x = (common.generator(name).normal(size=(9, 4)) * 4).astype("float32")
    x[0] = [-6, 6, 0, 1.5]
    path = os.path.join(directory, name)
    with common.fixed_clock():
        model.save(f"{path}.keras")
    common.write_npz(f"{path}.npz", {"x0": x, "y0": np.array(model(x))})


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    for name in LAYERS:
        make(name, sys.argv[1])
