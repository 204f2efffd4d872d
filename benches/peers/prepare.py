"""Writes the models of the workloads: prepare.py FOLDER [NAME ...]

For each a `.keras` file and, for onnxruntime, an `.onnx` file.
"""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import workloads


def write(file, content):
    """Leaves no half file behind."""
    part = file.with_name(f"part_{file.name}")
    content(part)
    part.rename(file)


def onnx_graph(name, file):
    """Where there is no onnx package, onnxruntime says that it misses the file."""
    try:
        import graphs
    except ImportError as error:
        print(f"{file.name} is not written: {error}", file=sys.stderr)
        return
    graph = graphs.build(name)
    if graph:
        write(file, lambda part: part.write_bytes(graph.SerializeToString()))


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or workloads.ALL:
        file = folder / f"{name}.keras"
        if not file.exists():
            write(file, workloads.build(name).save)
        if not file.with_suffix(".onnx").exists():
            onnx_graph(name, file.with_suffix(".onnx"))


if __name__ == "__main__":
    main()
