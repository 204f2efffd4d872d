"""Writes the models of the workloads: prepare.py FOLDER [NAME ...]

For each a `.keras` file, and an `.onnx` file where Keras can export it.
"""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"  # which has the exporter

import workloads


def export(model, inputs, path):
    """Leaves no half file behind: what cannot be exported is absent, and said."""
    try:
        model(inputs)  # Keras exports models that have been called
        model.export(path, format="onnx", verbose=False)
    except Exception as error:
        path.unlink(missing_ok=True)
        print(f"{path.name}: not exported: {type(error).__name__}: {error}"[:200])


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or workloads.ALL:
        file = folder / f"{name}.keras"
        if file.exists():
            continue
        model = workloads.build(name)
        if not workloads.trains(name):
            inputs = workloads.inputs(name, 1)
            inputs = inputs if len(inputs) > 1 else inputs[0]
            export(model, inputs, file.with_suffix(".onnx"))
        model.save(file)


if __name__ == "__main__":
    main()
