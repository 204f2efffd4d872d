"""Records a large model: make_big.py OUT.keras [--gib 1]

Dense layers of 64 to 144 MiB, one of them above the 128 MiB that a default WebGPU device binds at
once, until the weights reach the size asked for. Inputs and Keras's outputs go to OUT.npz.
"""

import argparse
import os

import common
import numpy as np
from keras import Input, Sequential, layers

MIB = 1 << 20
BATCH = 2


def widths(gib):
    """Units of the layers: kernels of 96, 144, 96 MiB, then as many of 64 MiB as needed."""
    units, size = [6144, 6144, 4096], (96 + 144 + 96) * MIB
    while size < gib * 1024 * MIB:
        units.append(4096)
        size += 64 * MIB
    return units


def build(gib):
    """The model with zero weights: random ones follow layer by layer, one in memory at a time."""
    stack = [layers.Dense(n, activation="relu", kernel_initializer="zeros") for n in widths(gib)]
    return Sequential([Input((4096,)), *stack, layers.Dense(10)])


def fill(model, rng):
    for layer in model.layers:
        fan_in, units = layer.kernel.shape
        kernel = rng.standard_normal((fan_in, units), dtype="float32")
        kernel *= np.float32(np.sqrt(2.0 / fan_in))
        layer.kernel.assign(kernel)
        layer.bias.assign(rng.normal(0.0, 0.1, (units,)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", metavar="OUT.keras")
    parser.add_argument("--gib", type=float, default=1.0, help="size of the weights, at least 0.4")
    arguments = parser.parse_args()
    directory, file = os.path.split(os.path.abspath(arguments.out))
    name, suffix = os.path.splitext(file)
    if suffix != ".keras":
        parser.error(f"OUT must end in .keras, not {suffix!r}")
    common.fresh("big")
    rng = common.generator("big")
    model = build(arguments.gib)
    fill(model, rng)
    common.record(model, common.random_inputs(model, rng, BATCH), directory, name)
    print(f"{arguments.out}: {os.path.getsize(arguments.out) / MIB:.0f} MiB")


if __name__ == "__main__":
    main()
