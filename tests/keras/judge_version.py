"""A Keras of any version as the judge of the files that keraunos writes for it.

    python judge_version.py MODEL.keras RECORDED.npz ...

Loads each model and compares its predictions of x0, x1, ... with y0, y1, ... Prints one line of JSON
for each: null, or what is wrong. Works with what every version of Keras 3 has.
"""

import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras  # noqa: E402
import numpy as np  # noqa: E402

TOLERANCE = 1e-4


def flatten(value):
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in flatten(value[key])]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in flatten(item)]
    return [np.asarray(value)]


def check(path, recorded):
    model = keras.models.load_model(path)
    with np.load(recorded) as arrays:
        inputs = [arrays[f"x{i}"] for i in range(sum(k[0] == "x" for k in arrays.files))]
        expected = [arrays[f"y{i}"] for i in range(sum(k[0] == "y" for k in arrays.files))]
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict):
        inputs = dict(zip(sorted(structure), inputs))
    elif len(inputs) == 1:
        inputs = inputs[0]
    outputs = flatten(model.predict(inputs, verbose=0, batch_size=64))
    if len(outputs) != len(expected):
        return f"{len(outputs)} outputs, expected {len(expected)}"
    for i, (found, wanted) in enumerate(zip(outputs, expected)):
        if found.shape != wanted.shape:
            return f"output {i} has shape {found.shape}, expected {wanted.shape}"
        scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
        worst = float(np.abs(found.astype("float64") - wanted).max(initial=0.0)) / scale
        if not worst <= TOLERANCE:
            return f"output {i} differs by {worst:.2g}"
    # Loading warns and drops an optimizer's state that does not fit.
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and len(optimizer.variables) > 2:
        if not any(np.any(np.asarray(v)) for v in optimizer.variables[2:]):
            return "the optimizer's state is lost"
    return None


def main():
    for path, recorded in zip(sys.argv[1::2], sys.argv[2::2]):
        try:
            problem = check(path, recorded)
        except Exception as error:  # noqa: BLE001: any failure is a verdict
            problem = f"{type(error).__name__}: {str(error)[:400]}"
        print("VERDICT" + json.dumps(problem), flush=True)


main()
