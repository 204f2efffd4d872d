"""Records gradients as JAX computes them: make_gradients.py OUTDIR [CASE ...]

For every case of `gradient_cases.py`, which are of layers, and of `gradient_operations.py` it writes `N.keras` and `N.npz` with inputs `x0`, ..., factors
of the outputs `f0`, ..., and the gradients of the sum of the outputs times the factors with respect
to floating-point inputs, `dx0`, ..., and to trainable weights, `dw0`, ...; and `manifest.json`.
"""

import argparse
import json
import os

import common
import gradient_cases
import gradient_operations
import jax
import keras
import numpy as np
from keras import tree

BATCH = gradient_operations.BATCH
CASES = gradient_cases.CASES | gradient_operations.CASES


def record(name, path):
    """Builds and records a case; returns the manifest's entry."""
    common.fresh(name)
    rng = common.generator(name)
    model = CASES[name]()
    common.randomize(model, rng)
    training = name.endswith(":training")
    shapes = [(BATCH, *leaf.shape[1:]) for leaf in model.inputs]
    inputs = [rng.normal(0.0, 1.0, shape).astype("float32") for shape in shapes]
    if name.endswith(":kinks"):
        inputs = [np.round(2 * x) / 2 for x in inputs]
    whole = [i for i, leaf in enumerate(model.inputs) if "float" not in leaf.dtype]
    for i in whole:
        inputs[i] = rng.integers(0, 9, shapes[i]).astype(model.inputs[i].dtype)
    if name in gradient_operations.CASES:
        made = {type(operation).__name__ for operation in model.operations}
        if name.removeprefix("ops.").split(":")[0] not in made:
            raise ValueError(f"{name}: the model holds {made}")
    trainable = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]
    floats = [x for i, x in enumerate(inputs) if i not in whole]

    def outputs(weights, floats):
        rest = iter(floats)
        given = [x if i in whole else next(rest) for i, x in enumerate(inputs)]
        found, _ = model.stateless_call(weights, others, given, training=training)
        return tree.flatten(found)

    shapes = [y.shape for y in jax.eval_shape(outputs, trainable, floats)]
    factors = [rng.normal(0.0, 1.0, shape).astype("float32") for shape in shapes]

    def total(weights, floats):
        found = outputs(weights, floats)
        return sum(keras.ops.sum(y.astype("float32") * f) for y, f in zip(found, factors))

    gradients = jax.jit(jax.grad(total, argnums=(0, 1)))
    of_weights, of_inputs = gradients(trainable, floats)
    arrays = common.numbered(inputs, "x") | common.numbered(factors, "f")
    at = [i for i in range(len(inputs)) if i not in whole]
    arrays |= {f"dx{i}": np.asarray(g) for i, g in zip(at, of_inputs)}
    arrays |= common.numbered([np.asarray(g) for g in of_weights], "dw")
    with common.fixed_clock():
        model.save(path + ".keras")
    common.write_npz(path + ".npz", arrays)
    paths = [v.path for v in model.trainable_variables]
    return {"case": name, "file": os.path.basename(path), "training": training, "weights": paths}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    arguments = parser.parse_args()
    os.makedirs(arguments.outdir, exist_ok=True)
    names = list(CASES)
    entries = [
        record(name, os.path.join(arguments.outdir, str(names.index(name))))
        for name in arguments.cases or names
    ]
    with open(os.path.join(arguments.outdir, "manifest.json"), "w") as file:
        json.dump(entries, file, indent=1)
        file.write("\n")
    print(f"{len(entries)} cases")


if __name__ == "__main__":
    main()
