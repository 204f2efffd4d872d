"""Writes src/saving/profile/classes.json: since which version Keras has a class, a function
or a constructor's argument (with the default it has), as far as that is later than the oldest version.

    python make_profile.py VERSIONS ../../src/saving/profile/classes.json

VERSIONS is a folder with one folder for each version, such as `pip install --no-deps --target` makes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

LOOK = '''
import importlib, inspect, json, pkgutil, sys
import keras
from keras.src.ops.operation import Operation

def arguments(cls):
    """All arguments that a constructor takes, those of its bases included."""
    found = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        for p in list(parameters)[1:]:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                default = p.default if p.default is not p.empty else "__required__"
                found.setdefault(p.name, default)
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    return found

def plain(value):
    try:
        return json.loads(json.dumps(value))
    except TypeError:
        return "__required__"

out = {}
def add(module, name, cls):
    keys = {key: plain(value) for key, value in arguments(cls).items()}
    out.setdefault(f"{module}.{name}", keys)

PUBLIC = ["", "layers", "initializers", "regularizers", "constraints", "losses", "metrics",
          "optimizers", "optimizers.schedules", "activations", "dtype_policies", "quantizers",
          "random", "models"]
for path in PUBLIC:
    name = f"keras.{path}".rstrip(".")
    try:
        module = importlib.import_module(name)
    except ImportError:
        continue
    for symbol in dir(module):
        found = getattr(module, symbol)
        if inspect.isclass(found) and hasattr(found, "get_config"):
            add(name, symbol, found)
        elif inspect.isfunction(found) and not symbol.startswith("_") and path in (
            "activations", "losses", "metrics", "initializers", "regularizers"):
            out.setdefault(f"{name}.{symbol}()", {})

def import_all(package):
    for item in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if "_test" in item.name or ".backend." in item.name and "common" not in item.name:
            continue
        try:
            importlib.import_module(item.name)
        except Exception:
            pass
import keras.src.ops
import_all(keras.src.ops)
def below(cls):
    for sub in cls.__subclasses__():
        yield sub
        yield from below(sub)
for cls in below(Operation):
    if cls.__module__.startswith("keras.src") and not issubclass(cls, keras.layers.Layer):
        add(cls.__module__, cls.__name__, cls)
# What strings stand for.
for kind in ("activations", "losses", "metrics", "initializers", "regularizers", "constraints",
             "optimizers"):
    try:
        source = importlib.import_module(f"keras.src.{kind}")
    except ImportError:
        continue
    for table in ("ALL_OBJECTS_DICT",):
        for alias, found in getattr(source, table, {}).items():
            if isinstance(alias, str):
                out.setdefault(f"keras.{kind}.'{alias}'", {})
print("TABLE" + json.dumps(out))
'''


def look(folder):
    environment = dict(os.environ, PYTHONPATH=str(folder), KERAS_BACKEND="jax")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOOK], env=environment, capture_output=True, text=True
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("TABLE")]
    if not lines:
        sys.exit(f"{folder}: {run.stderr}")
    return json.loads(lines[0].removeprefix("TABLE"))


def minor(version):
    return int(version.split(".")[1])


# Classes that compute something else since a version.
CHANGED = {"keras.optimizers.Muon": 13}


def main():
    versions, target = Path(sys.argv[1]), Path(sys.argv[2])
    folders = [f for f in versions.iterdir() if (f / "keras").is_dir() and f.name[0] == "3"]
    folders.sort(key=lambda folder: minor(folder.name))
    tables = [(minor(folder.name), look(folder)) for folder in folders]
    names = sorted({name for _, table in tables for name in table})
    oldest, newest = tables[0][0], tables[-1][0]
    out = {}
    for name in names:
        has = [(version, table[name]) for version, table in tables if name in table]
        first, last = has[0][0], has[-1][0]
        entry = {}
        since = max(first, CHANGED.get(name, oldest))
        if since > oldest:
            entry["since"] = since
        late = {}
        for key in sorted({key for _, table in has for key in table}):
            present = [(version, table[key]) for version, table in has if key in table]
            # What newer versions no longer take is not in their configs.
            if present[0][0] > since and present[-1][0] == last == newest:
                default = present[0][1]
                late[key] = [present[0][0]] + ([] if default == "__required__" else [default])
        if late:
            entry["keys"] = late
        if entry:
            out[name] = entry
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in out.items()]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
