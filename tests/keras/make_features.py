"""Writes files of keras.utils.FeatureSpace: make_features.py OUTDIR

Each is a pair: `NAME.keras`, and `NAME.npz` with columns `x/COLUMN` and Keras's answers, `y` where
they are joined and `y/NAME` where they are a mapping. Needs TensorFlow, with which Keras adapts and
computes them on any backend.
"""

import os
import sys

import common
import keras
import numpy as np

FeatureSpace = keras.utils.FeatureSpace
ROWS, SHOWN = 60, 7


def table():
    """Columns of numbers and text."""
    rng = common.generator("features")
    words = np.array(["ant", "bee", "crow", "dog", "emu", ""])
    return {
        "plain": rng.normal(size=ROWS).astype("float32"),
        "normal": rng.normal(3, 2, size=ROWS).astype("float32"),
        "scaled": rng.normal(size=ROWS).astype("float32"),
        "binned": rng.normal(size=ROWS).astype("float32"),
        "class": rng.integers(-2, 6, size=ROWS),
        "animal": words[rng.integers(0, len(words), size=ROWS)],
        "number": rng.integers(0, 1000, size=ROWS),
        "tag": np.array([f"tag {i}" for i in rng.integers(0, 50, size=ROWS)]),
    }


def space(output_mode):
    features = {
        "plain": "float",
        "normal": "float_normalized",
        "scaled": FeatureSpace.float_rescaled(scale=2.0, offset=1.0),
        "binned": FeatureSpace.float_discretized(num_bins=5),
        "class": FeatureSpace.integer_categorical(max_tokens=6),
        "animal": FeatureSpace.string_categorical(num_oov_indices=2),
        "number": FeatureSpace.integer_hashed(num_bins=7),
        "tag": FeatureSpace.string_hashed(num_bins=9),
    }
    if output_mode == "dict":
        features["class"] = FeatureSpace.integer_categorical(output_mode="int")
    crosses = [
        FeatureSpace.cross(("tag", "animal"), crossing_dim=16),
        FeatureSpace.cross(("class", "number"), crossing_dim=11),
    ]
    return FeatureSpace(features=features, crosses=crosses, output_mode=output_mode)


def make(output_mode, directory):
    common.fresh(output_mode)
    columns = table()
    features = space(output_mode)
    features.adapt(columns)
    shown = {name: column[:SHOWN].reshape(-1, 1) for name, column in columns.items()}
    # Values that adapting has not seen.
    shown["class"][0], shown["animal"][1] = 77, "yak"
    answers = features(shown)
    if output_mode == "concat":
        arrays = {"y": np.array(answers)}
    else:
        arrays = {f"y/{name}": np.array(answer) for name, answer in answers.items()}
    arrays |= {f"x/{name}": column for name, column in shown.items()}
    path = os.path.join(directory, output_mode)
    with common.fixed_clock():
        features.save(f"{path}.keras")
        common.write_npz(f"{path}.npz", arrays)


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    for mode in ("concat", "dict"):
        make(mode, sys.argv[1])
