"""Real Keras as the judge of the files that keraunos writes.

judge.py same ORIGINAL.keras COPY.keras INPUTS.npz ...   the copy is the same model, in equal state
judge.py predict MODEL.keras INPUTS.npz OUT.npz ...      writes Keras's predictions as y0, y1, ...
judge.py close MODEL.keras RECORDED.npz ...              Keras gives y0, y1, ... for x0, x1, ...
judge.py outputs RECORDED.npz OURS.npz ...               y0, y1, ... of both are close
judge.py h5 A B ...                                      weights files (.h5, or in a .keras) have
                                                         equal groups, attributes, dtypes and data

Every command takes one group of files after another, because importing Keras takes seconds.
Exit code 0 when all holds, 1 with one line per difference otherwise.
"""

import argparse
import io
import json
import math
import sys
import zipfile

import common
import h5py
import keras
import numpy as np

WEIGHTS = "model.weights.h5"

# Two float32 implementations that add in different orders; the largest absolute output is 1.
TOLERANCE = 1e-4


def json_differences(a, b, place=""):
    """Lines that say where two JSON trees differ; NaN equals NaN, 1 differs from 1.0 and true."""
    if type(a) is not type(b):
        return [f"config{place}: {short(a)} became {short(b)}"]
    if isinstance(a, dict):
        found = [f"config{place}.{key}: lost" for key in a if key not in b]
        found += [f"config{place}.{key}: added, {short(b[key])}" for key in b if key not in a]
        for key in (key for key in a if key in b):
            found += json_differences(a[key], b[key], f"{place}.{key}")
        return found
    if isinstance(a, list) and len(a) == len(b):
        pairs = enumerate(zip(a, b))
        return [line for i, (x, y) in pairs for line in json_differences(x, y, f"{place}[{i}]")]
    if a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)):
        return []
    return [f"config{place}: {short(a)} became {short(b)}"]


def short(value):
    """A value as JSON of at most 120 characters."""
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "..."


def array_difference(what, a, b):
    """No line when two arrays are equal in dtype, shape and every bit."""
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return [f"{what}: {a.dtype}{a.shape} became {b.dtype}{b.shape}"]
    if a.tobytes() == b.tobytes():
        return []
    bits_a, bits_b = (np.frombuffer(x.tobytes(), "u1").reshape(a.size, -1) for x in (a, b))
    unequal = np.flatnonzero((bits_a != bits_b).any(axis=1))
    first = unequal[0]
    return [
        f"{what}: {unequal.size} of {a.size} elements differ, "
        f"first at {first}: {a.ravel()[first]!r} became {b.ravel()[first]!r}"
    ]


def variable_differences(kind, before, after):
    """Compares two lists of variables in order: path, dtype, shape, bits."""
    if len(before) != len(after):
        return [f"{kind}: {len(before)} variables became {len(after)}"]
    found = []
    for a, b in zip(before, after):
        if a.path != b.path:
            found.append(f"{kind}: {a.path} became {b.path}")
        values = (keras.ops.convert_to_numpy(x) for x in (a, b))
        found += array_difference(f"{kind} {a.path}", *values)
    return found


def read_config(path):
    with zipfile.ZipFile(path) as archive:
        return without_addresses(json.loads(archive.read("config.json")))


def without_addresses(config):
    """The tree without `shared_object_id`: a Python address, other in every process that saves."""
    if isinstance(config, dict):
        pairs = config.items()
        return {k: without_addresses(v) for k, v in pairs if k != "shared_object_id"}
    return [without_addresses(v) for v in config] if isinstance(config, list) else config


def archive_differences(original, copy):
    """The copy is laid out as Keras lays out an archive."""
    with zipfile.ZipFile(original) as a, zipfile.ZipFile(copy) as b:
        names, copied = a.namelist(), b.namelist()
        found = [] if names == copied else [f"members: {names} became {copied}"]
        if broken := b.testzip():
            found.append(f"member {broken}: wrong checksum")
        for info in b.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                found.append(f"member {info.filename}: compressed, Keras stores")
        metadata = json.loads(b.read("metadata.json"))
        if sorted(metadata) != ["date_saved", "keras_version"]:
            found.append(f"metadata.json: keys {sorted(metadata)}")
    return found


def same(original, copy, inputs):
    """Differences between two `.keras` files and the models that Keras makes of them."""
    found = archive_differences(original, copy)
    found += json_differences(read_config(original), read_config(copy))
    a, b = load(original), load(copy)
    found += json_differences(
        without_addresses(json.loads(a.to_json())),
        without_addresses(json.loads(b.to_json())),
        " of the loaded model",
    )
    found += variable_differences("weight", a.weights, b.weights)
    found += optimizer_differences(a, b)
    if found:  # predictions of another model say nothing, and may not be possible
        return found
    arrays = common.read_arrays(inputs, "x")
    before, after = common.predict(a, arrays), common.predict(b, arrays)
    for i, (x, y) in enumerate(zip(before, after, strict=True)):
        found += array_difference(f"prediction {i}", x, y)
    return found


def load(path):
    """Loads with fresh automatic names, so that paths of variables can be compared."""
    keras.utils.clear_session()
    return keras.saving.load_model(path)


def optimizer_differences(a, b):
    if a.compiled != b.compiled:
        return [f"compiled: {a.compiled} became {b.compiled}"]
    if not a.compiled or not hasattr(a, "optimizer"):  # a distiller is compiled by its user
        return []
    found = json_differences(a.get_compile_config(), b.get_compile_config(), " of compile")
    return found + variable_differences("optimizer", a.optimizer.variables, b.optimizer.variables)


def predict(model, inputs, out):
    """Writes Keras's predictions; there is nothing to differ."""
    outputs = common.predict(load(model), common.read_arrays(inputs, "x"))
    common.write_npz(out, common.numbered(outputs, "y"))
    return []


def close(model, recorded):
    """Keras's predictions against recorded ones."""
    outputs = common.predict(load(model), common.read_arrays(recorded, "x"))
    return output_differences(common.read_arrays(recorded, "y"), outputs)


def outputs(recorded, ours):
    """Outputs in one file against those in another."""
    return output_differences(common.read_arrays(recorded, "y"), common.read_arrays(ours, "y"))


def output_differences(expected, found):
    """Compares lists of outputs, relative to each output's largest absolute value."""
    if len(expected) != len(found):
        return [f"{len(found)} outputs instead of {len(expected)}"]
    lines = []
    for i, (a, b) in enumerate(zip(expected, found)):
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            lines.append(f"output {i}: {b.dtype}{b.shape} instead of {a.dtype}{a.shape}")
            continue
        error = np.max(np.abs(b - a)) / np.max(np.abs(a))
        if not error <= TOLERANCE:
            lines.append(f"output {i}: largest difference {error:.3g} of the largest value")
    return lines


def weights_file(path):
    """An open HDF5 file: `path` itself, or the weights inside it."""
    if not zipfile.is_zipfile(path):
        return h5py.File(path, "r")
    with zipfile.ZipFile(path) as archive:
        return h5py.File(io.BytesIO(archive.read(WEIGHTS)), "r")


def h5_tree(file):
    """`{path: object}` of every group and dataset, the root included."""
    objects = {"/": file}
    file.visititems(lambda name, thing: objects.__setitem__(f"/{name}", thing))
    return objects


def h5(a, b):
    """Differences between two weights files, object by object."""
    with weights_file(a) as a, weights_file(b) as b:
        before, after = h5_tree(a), h5_tree(b)
        found = [f"{path}: lost" for path in before if path not in after]
        found += [f"{path}: added" for path in after if path not in before]
        for path in before.keys() & after.keys():
            found += object_differences(path, before[path], after[path])
    return sorted(found)


def object_differences(path, a, b):
    if type(a) is not type(b):
        return [f"{path}: {type(a).__name__} became {type(b).__name__}"]
    found = []
    if sorted(a.attrs) != sorted(b.attrs):
        found.append(f"{path}: attributes {sorted(a.attrs)} became {sorted(b.attrs)}")
    for name in a.attrs.keys() & b.attrs.keys():
        if not np.array_equal(a.attrs[name], b.attrs[name]):
            found.append(f"{path}: attribute {name} {a.attrs[name]!r} became {b.attrs[name]!r}")
    if isinstance(a, h5py.Dataset):
        found += array_difference(path, np.asarray(a), np.asarray(b))
    return found


def main():
    commands = {"same": (same, 3), "predict": (predict, 3), "close": (close, 2)}
    commands |= {"outputs": (outputs, 2), "h5": (h5, 2)}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=commands)
    parser.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    run, width = commands[arguments.command]
    if len(arguments.files) % width:
        parser.error(f"{arguments.command} takes groups of {width} files")
    groups = [arguments.files[i : i + width] for i in range(0, len(arguments.files), width)]
    differences = 0
    for group in groups:
        found = run(*group)
        differences += len(found)
        for line in found:
            print(f"{group[0]}: {line}")
    print(f"{arguments.command}: {len(groups)} judged, {differences} differences")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
