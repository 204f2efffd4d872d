"""Writes the small recorded models: make_models.py OUTDIR [NAME ...]

Every run gives the same files under the versions in requirements.txt, but for the Python addresses
that Keras writes as `shared_object_id`. Without names it writes all models and `manifest.json`,
which says what each exercises.
"""

import argparse
import json
import os

import common
import found_models  # noqa: F401: it registers its examples
from models import EXAMPLES

BATCH = 5
LARGEST = 100_000  # bytes; the files are committed


def make(name, directory):
    """Builds, randomizes, records; returns the manifest's entry."""
    common.fresh(name)
    rng = common.generator(name)
    model = EXAMPLES[name]()
    if not model.compiled:  # a trained model keeps the weights that its optimizer state belongs to
        common.randomize(model, rng)
    inputs = common.random_inputs(model, rng, BATCH)
    outputs = common.record(model, inputs, directory, name)
    for suffix in ("keras", "npz"):
        size = os.path.getsize(os.path.join(directory, f"{name}.{suffix}"))
        if size > LARGEST:
            raise ValueError(f"{name}.{suffix} has {size} bytes, more than {LARGEST}")
    return {
        "name": name,
        "exercises": EXAMPLES[name].__doc__,
        "classes": sorted({type(layer).__name__ for layer in model._flatten_layers()}),
        "inputs": [list(array.shape) for array in inputs],
        "outputs": [list(array.shape) for array in outputs],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(EXAMPLES)}")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(EXAMPLES)
    if unknown:
        parser.error(
            f"no such model: {', '.join(sorted(unknown))}; there are {', '.join(EXAMPLES)}"
        )
    entries = [make(name, arguments.outdir) for name in arguments.names or EXAMPLES]
    if not arguments.names:
        with open(os.path.join(arguments.outdir, "manifest.json"), "w") as file:
            json.dump(entries, file, indent=1)
            file.write("\n")
    for entry in entries:
        print(f"{entry['name']}: inputs {entry['inputs']}, outputs {entry['outputs']}")


if __name__ == "__main__":
    main()
