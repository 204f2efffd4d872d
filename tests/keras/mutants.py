"""Honest model files, each changed in one place, and what Keras makes of them.

    mutants.py OUTDIR --count N --first SEED

Writes OUTDIR/NUMBER.keras or .h5, and OUTDIR/NUMBER.npz with the inputs `x0`... and, where Keras loads
and calls the model, its outputs `y0`...; OUTDIR/verdicts.json lists what was changed and what Keras said.
The same seed gives the same mutant.
"""

import argparse
import copy
import io
import json
import os
import random
import resource
import signal
import warnings
import zipfile

os.environ.setdefault("KERAS_BACKEND", "jax")
warnings.filterwarnings("ignore")

import h5py
import keras
import numpy as np

MODELS = os.path.join(os.path.dirname(__file__), "..", "models")
SECONDS = 30
MEMORY = 8 << 30
LARGEST_BASE = 300_000

ODD = [0, 1, -1, 2, 3, 5, -2, 255, 65536, 2**31, 2**40, 2**63, 0.5, 1.5, -0.5, 1e9, None, True, False]
ODD += ["", "16", "relu", "same", "valid", "channels_first", "float16", "float64", "int32", "sum"]
ODD += ["concat", "nearest", "mean_squared_error", [], {}, [1], [2, 2], [-1], [None, 4], ["input_0", 0, 0]]
ODD += [{"a": 1}, {"class_name": "Zeros", "config": {}}, float("nan"), float("inf")]


def pointers(value, at=()):
    """All places of a JSON value, the root left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from pointers(item, (*at, key))


def holder(root, place):
    for key in place[:-1]:
        root = root[key]
    return root


def change_json(root, rng, below=None):
    """Changes one place of a JSON value, and says which."""
    places = [place for place in pointers(root) if below is None or place[0] == below]
    place = rng.choice(places)
    inside, key = holder(root, place), place[-1]
    old = inside[key]
    kind = rng.randrange(6)
    if kind == 0 and isinstance(inside, dict):
        del inside[key]
        what = "removed"
    elif kind == 1 and isinstance(inside, dict):
        inside["unheard_of"] = 1
        what = "and a key 'unheard_of' beside it"
    elif kind == 2:
        same = [holder(root, p)[p[-1]] for p in places if p[-1] == key or type(holder(root, p)[p[-1]]) is type(old)]
        inside[key] = copy.deepcopy(rng.choice(same))
        what = f"= {json.dumps(inside[key])[:80]}"
    elif kind == 3 and isinstance(old, (int, float)) and not isinstance(old, bool):
        inside[key] = rng.choice([old + 1, old - 1, -old, old * 2, old / 2])
        what = f"= {inside[key]}"
    elif kind == 4 and isinstance(old, list) and old:
        inside[key] = rng.choice([old + old[-1:], old[:-1], old[::-1]])
        what = f"= {json.dumps(inside[key])[:80]}"
    else:
        inside[key] = copy.deepcopy(rng.choice(ODD))
        what = f"= {json.dumps(inside[key])}"
    return "/" + "/".join(map(str, place)) + " " + what


def datasets(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def change_weights(data, rng):
    """Changes one dataset of an HDF5 file, or how it is stored."""
    image = io.BytesIO(data)
    with h5py.File(image, "r+") as file:
        name = rng.choice(datasets(file))
        value, attributes = file[name][()], dict(file[name].attrs)
        kind = rng.choice(sorted(WEIGHTS))
        del file[name]
        WEIGHTS[kind](file, name, np.asarray(value), rng)
        if name in file and isinstance(file.get(name, getlink=True), h5py.HardLink):
            for key, item in attributes.items():
                file[name].attrs[key] = item
    return image.getvalue(), f"{name}: {kind}"


def put(file, name, value, **options):
    file.create_dataset(name, data=value, **options)


def link(file, name, made):
    file[name] = made


WEIGHTS = {
    "missing": lambda f, n, v, r: None,
    "another rank": lambda f, n, v, r: put(f, n, v.reshape((1, *v.shape))),
    "flat": lambda f, n, v, r: put(f, n, v.reshape(-1)),
    "transposed": lambda f, n, v, r: put(f, n, v.T),
    "one more row": lambda f, n, v, r: put(f, n, np.concatenate([v, v[:1]]) if v.ndim else np.stack([v, v])),
    "no rows": lambda f, n, v, r: put(f, n, v[:0] if v.ndim else np.zeros(0, v.dtype)),
    "a scalar": lambda f, n, v, r: put(f, n, v.reshape(-1)[0] if v.size else 0.0),
    "float64": lambda f, n, v, r: put(f, n, v.astype("<f8")),
    "float16": lambda f, n, v, r: put(f, n, v.astype("<f2")),
    "big-endian": lambda f, n, v, r: put(f, n, v.astype(">f4")),
    "int8": lambda f, n, v, r: put(f, n, v.astype("i1")),
    "uint64": lambda f, n, v, r: put(f, n, np.abs(v).astype("<u8")),
    "bool": lambda f, n, v, r: put(f, n, v.astype(bool)),
    "complex": lambda f, n, v, r: put(f, n, v.astype("<c8")),
    "text": lambda f, n, v, r: put(f, n, v.astype("S8")),
    "gzip": lambda f, n, v, r: put(f, n, v, **({"compression": "gzip", "shuffle": True} if v.ndim and v.size else {})),
    "lzf": lambda f, n, v, r: put(f, n, v, **({"compression": "lzf"} if v.ndim and v.size else {})),
    "checksum": lambda f, n, v, r: put(f, n, v, **({"fletcher32": True, "chunks": True} if v.ndim and v.size else {})),
    "only a fill value": lambda f, n, v, r: f.create_dataset(n, v.shape, v.dtype, fillvalue=v.dtype.type(1)),
    "not finite": lambda f, n, v, r: put(f, n, np.full(v.shape, np.nan if v.dtype.kind == "f" else 7, v.dtype)),
    "a group": lambda f, n, v, r: f.create_group(n),
    "a soft link": lambda f, n, v, r: (put(f, "elsewhere", v), link(f, n, h5py.SoftLink("/elsewhere"))),
    "an external link": lambda f, n, v, r: link(f, n, h5py.ExternalLink("other.h5", "/x")),
    "a hard link": lambda f, n, v, r: (put(f, "elsewhere", v), link(f, n, f["elsewhere"])),
    "another key": lambda f, n, v, r: put(f, n + "0", v),
    "one more beside it": lambda f, n, v, r: (put(f, n, v), put(f, n + "9", v)),
    "one more group": lambda f, n, v, r: (put(f, n, v), put(f, "layers/unheard_of/vars/0", v)),
    "text as attribute": lambda f, n, v, r: (put(f, n, v), f[n].attrs.__setitem__("dtype", "bfloat16")),
}


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def archive(items, **options):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as made:
        for name, data in items:
            made.writestr(zipfile.ZipInfo(name), data, compress_type=made.compression)
    return out.getvalue()


def change_zip(data, rng):
    items = members(data)
    kind = rng.randrange(9)
    if kind == 0:
        return archive(items, compression=zipfile.ZIP_DEFLATED), "deflated"
    if kind == 1:
        rng.shuffle(items)
        return archive(items), "members in another order"
    if kind == 2:
        name = items.pop(rng.randrange(len(items)))[0]
        return archive(items), f"without {name}"
    if kind == 3:
        return archive([*items, ("extra/file.txt", b"x")]), "one more member"
    if kind == 4:
        return b"x" * 100 + data, "bytes in front"
    if kind == 5:
        return archive(items, compression=zipfile.ZIP_BZIP2), "packed with bzip2"
    if kind == 6:
        return archive([("folder/", b""), *items]), "a folder as a member"
    if kind == 7:
        return archive([(n.upper() if n == "metadata.json" else n, d) for n, d in items]), "metadata in capitals"
    name, text = items[0]
    return archive([(name, b"{"), *items[1:]]), f"{name} is not JSON"


def dump(config):
    return json.dumps(config).encode()


def change_archive(data, rng):
    kind = rng.random()
    if kind < 0.12:
        return change_zip(data, rng)
    items = dict(members(data))
    if kind < 0.4:
        items["model.weights.h5"], what = change_weights(items["model.weights.h5"], rng)
    else:
        config = json.loads(items["config.json"])
        below = "compile_config" if kind < 0.5 and config.get("compile_config") else None
        what = change_json(config, rng, below)
        items["config.json"] = dump(config)
    return archive(items.items()), what


def change_legacy(data, rng):
    if rng.random() < 0.4:
        return change_weights(data, rng)
    image = io.BytesIO(data)
    with h5py.File(image, "r+") as file:
        kind = rng.randrange(4)
        if kind == 0 and "training_config" in file.attrs:
            what = change_attribute(file, "training_config", rng)
        elif kind == 1:
            groups = [file["model_weights"]]
            groups += [group for group in file["model_weights"].values() if "weight_names" in group.attrs]
            group = rng.choice(groups)
            key = "layer_names" if group is groups[0] else "weight_names"
            names = list(group.attrs[key])
            names = rng.choice([names[::-1], names[:-1], names + names[-1:], names + ["unheard_of"]])
            text = h5py.string_dtype()
            group.attrs[key] = np.array(names, dtype=text) if names else np.zeros(0)
            what = f"{group.name}: {key} = {names}"[:120]
        else:
            what = change_attribute(file, "model_config", rng)
    return image.getvalue(), what


def change_attribute(file, key, rng):
    config = json.loads(file.attrs[key])
    what = change_json(config, rng)
    file.attrs[key] = json.dumps(config)
    return f"{key}{what}"


def bases():
    """Paths of models and of their inputs, if some are recorded."""
    found = []
    for folder in [MODELS, os.path.join(MODELS, "versions", keras.__version__)]:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            path = os.path.join(folder, name)
            is_model = name.endswith((".keras", ".h5")) and not name.endswith(".weights.h5")
            if is_model and os.path.getsize(path) <= LARGEST_BASE:
                found.append(path)
    return found


def inputs_of(path, model):
    recorded = os.path.splitext(path)[0] + ".npz"
    if os.path.exists(recorded):
        with np.load(recorded) as arrays:
            return [arrays[f"x{i}"] for i in range(len(arrays.files)) if f"x{i}" in arrays.files]
    rng = np.random.default_rng(7)
    made = []
    for tensor in keras.tree.flatten(model.inputs):
        shape = [2 if extent is None else extent for extent in tensor.shape]
        dtype = np.dtype(tensor.dtype)
        made.append((rng.normal(size=shape) if dtype.kind == "f" else rng.integers(0, 3, shape)).astype(dtype))
    return made


def call(model, xs):
    structure = getattr(model, "_inputs_struct", None)
    if structure is None:
        inputs = xs[0] if len(xs) == 1 else xs
    else:
        inputs = keras.tree.pack_sequence_as(structure, xs)
    outputs = keras.tree.flatten(model(inputs, training=False))
    return [np.asarray(y) for y in outputs if y is not None]


def judge(path, xs):
    """Keras's outputs, or the error that it raises."""

    def late(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        ys = call(keras.models.load_model(path), xs)
        return [y.astype("float32") if y.dtype.name in ("bfloat16", "float16") else y for y in ys], None
    except BaseException as error:  # whatever it raises
        return None, error
    finally:
        signal.alarm(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    paths, inputs, verdicts = bases(), {}, []
    for seed in range(arguments.first, arguments.first + arguments.count):
        rng = random.Random(seed)
        base = rng.choice(paths)
        with open(base, "rb") as file:
            data = file.read()
        is_legacy = base.endswith(".h5")
        try:
            data, what = (change_legacy if is_legacy else change_archive)(data, rng)
            if base not in inputs:
                inputs[base] = inputs_of(base, keras.models.load_model(base))
        except (OSError, ValueError, TypeError, KeyError, IndexError):
            continue  # no such change of this file
        name = f"{seed}{'.h5' if is_legacy else '.keras'}"
        path = os.path.join(arguments.out, name)
        with open(path, "wb") as file:
            file.write(data)
        ys, error = judge(path, inputs[base])
        ours_to_judge = not isinstance(error, (TimeoutError, MemoryError))
        if error is not None and "RESOURCE_EXHAUSTED" in str(error):
            ours_to_judge = False
        if not ours_to_judge:
            os.remove(path)
            continue
        arrays = {f"x{i}": x for i, x in enumerate(inputs[base])}
        if all(y.dtype.kind in "biuf" for y in ys or []):  # no text, no complex numbers
            arrays |= {f"y{i}": y for i, y in enumerate(ys or [])}
        np.savez(os.path.join(arguments.out, f"{seed}.npz"), **arrays)
        text = None if error is None else f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
        verdicts.append({"file": name, "base": os.path.basename(base), "what": what, "error": text})
    with open(os.path.join(arguments.out, "verdicts.json"), "w") as file:
        json.dump(verdicts, file, indent=1)


main()
