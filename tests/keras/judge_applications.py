"""Every network of keras.applications against keraunos: judge_applications.py KERAUNOS TABLE [NAME ...]

Each network is made with random weights, without its last activation, and predicted by Keras and by
keraunos on the host and on the GPU. TABLE is a Markdown file with the largest difference of each, as
a part of the largest output, and the day; rows of networks that are not named stay as they are. Exits with 1 when
a difference is above the bar.
"""

import argparse
import datetime
import pathlib
import subprocess
import sys
import tempfile

import common
import make_applications as applications
import numpy as np

BAR = 1e-3
DEVICES = ("host", "gpu")
HEAD = (
    "| network | parameters | input | images differ by | host | GPU | judged |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n"
)


def judge(name, binary, directory):
    """The row of one network, and its largest difference."""
    model, inputs = applications.build(name, None, name)
    (expected,) = common.record(model, [inputs], directory, name)
    largest = np.max(np.abs(expected))
    differences = []
    for device in DEVICES:
        found = directory / f"{name}-{device}.npz"
        path = directory / name
        command = [binary, "predict", f"{path}.keras", "--inputs", f"{path}.npz"]
        command += ["--output", found, "--device", device]
        subprocess.run(command, check=True, capture_output=True)
        (output,) = np.load(found).values()
        differences.append(np.max(np.abs(output - expected)) / largest)
    extents = "×".join(str(extent) for extent in model.input_shape[1:])
    cells = [name, f"{model.count_params():,}", extents, f"{applications.differ(expected):.2f}"]
    cells += [f"{difference:.1e}" for difference in differences]
    cells.append(datetime.date.today().isoformat())
    for path in directory.iterdir():
        path.unlink()
    return f"| {' | '.join(cells)} |", max(differences)


def rows_of(table):
    """The rows of an earlier table by network."""
    lines = table.read_text().splitlines()[2:] if table.exists() else []
    return {line.split("|")[1].strip(): line for line in lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("keraunos", type=pathlib.Path)
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    rows, worst = rows_of(arguments.table), 0.0
    for name in arguments.names or applications.NETWORKS:
        with tempfile.TemporaryDirectory() as directory:
            row, difference = judge(name, arguments.keraunos, pathlib.Path(directory))
        rows[name], worst = row, max(worst, difference)
        print(row, flush=True)
        ordered = [rows[name] for name in applications.NETWORKS if name in rows]
        arguments.table.write_text(HEAD + "\n".join(ordered) + "\n")
    sys.exit(int(worst > BAR))


if __name__ == "__main__":
    main()
