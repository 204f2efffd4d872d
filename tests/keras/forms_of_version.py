"""A Keras of any version writes its models in all forms, and judges what keraunos makes of them.

    python forms_of_version.py SAMPLES THEIRS OURS

SAMPLES holds NAME.keras of this version. Each is written to THEIRS/NAME in every form that this
version has. Then a line on standard input says that keraunos has written OURS/NAME/FORM. All are loaded and
compared with the sample, those of THEIRS before, those of OURS after that line. Prints two lines of
JSON, `WRITTEN` and `JUDGED`: {NAME: {FORM: {WHAT: null, or what differs}}}, where WHAT is config, weights,
optimizer, predictions, or load alone. A version that cannot load its own sample writes nothing, and
judges predictions only. Works with what every version of Keras 3 has.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import h5py  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras.src.legacy.saving import legacy_h5_format  # noqa: E402
from keras.src.saving import saving_lib  # noqa: E402

TOLERANCE = 1e-5


def short(error):
    return f"{type(error).__name__}: {str(error)[:300]}"


def write_legacy_weights(model, path):
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


# How Keras writes each form; those that a version lacks raise.
WRITERS = {
    "model.keras": lambda model, path: model.save(path),
    "folder": lambda model, path: model.save(path, zipped=False),
    "state.weights.h5": lambda model, path: model.save_weights(path),
    "shards.weights.json": lambda model, path: model.save_weights(path, max_shard_size=5e-7),
    "model.h5": lambda model, path: model.save(path),
    "layers.h5": write_legacy_weights,
    "config.json": lambda model, path: Path(path).write_text(model.to_json()),
    "npz.keras": lambda model, path: saving_lib.save_model(model, path, weights_format="npz"),
}


def state_of(model):
    """The optimizer's variables."""
    optimizer = getattr(model, "optimizer", None)
    return optimizer.variables if optimizer is not None else []


def numbers(model):
    """Weights, and the optimizer's state."""
    return list(model.get_weights()), [np.asarray(v) for v in state_of(model)]


def plain(value):
    """A config without the identities of objects."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items() if k != "shared_object_id"}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "get_config"):
        return [type(value).__name__, plain(value.get_config())]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def difference(found, expected, place=""):
    """Where two configs differ first; None if they are equal."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in {**expected, **found}:
            if key not in found or key not in expected:
                return f"{place}/{key} is in one only"
            if problem := difference(found[key], expected[key], f"{place}/{key}"):
                return problem
        return None
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        problems = (difference(f, e, f"{place}/{i}") for i, (f, e) in enumerate(zip(found, expected)))
        return next((problem for problem in problems if problem), None)
    same = found == expected or found != found and expected != expected
    return None if same else f"{place}: {str(found)[:80]} instead of {str(expected)[:80]}"


def equal(found, expected):
    if len(found) != len(expected):
        return f"{len(found)} arrays, expected {len(expected)}"
    wrong = [i for i, (f, e) in enumerate(zip(found, expected)) if not np.array_equal(f, e)]
    return f"arrays {wrong} differ" if wrong else None


def predict(model, recorded):
    inputs = [recorded[key] for key in sorted(recorded) if key[0] == "x"]
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict):
        inputs = dict(zip(sorted(structure), inputs))
    elif len(inputs) == 1:
        inputs = inputs[0]
    outputs = model(inputs, training=False)
    return [np.asarray(x) for x in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def close(found, recorded):
    expected = [recorded[key] for key in sorted(recorded) if key[0] == "y"]
    if len(found) != len(expected):
        return f"{len(found)} outputs, expected {len(expected)}"
    for i, (f, e) in enumerate(zip(found, expected)):
        if f.shape != e.shape or not np.allclose(f, e, atol=TOLERANCE, rtol=TOLERANCE):
            return f"output {i} differs"
    return None


def holds_weights_only(form):
    return ".weights." in form or form == "layers.h5"


def load(form, path, sample):
    """The model in a file of a form; one that holds no config is given the sample's."""
    keras.utils.clear_session()  # automatic names count from 0 again
    if form == "config.json":
        return keras.models.model_from_json(Path(path).read_text())
    if holds_weights_only(form):
        model = keras.models.load_model(sample)
        model.set_weights([np.zeros_like(w) for w in model.get_weights()])
        for variable in state_of(model):
            variable.assign(np.zeros(variable.shape))
        model.load_weights(path)
        return model
    return keras.models.load_model(path)


def compare(form, model, expected):
    """What a model has that the sample, if that can be loaded, has too."""
    if expected is None:
        return {}
    verdict = {}
    if not holds_weights_only(form):
        verdict["config"] = difference(plain(model.get_config()), plain(expected.get_config()))
    if form == "config.json":
        return verdict
    (weights, state), (own_weights, own_state) = numbers(model), numbers(expected)
    verdict["weights"] = equal(weights, own_weights)
    if own_state and form != "layers.h5":
        verdict["optimizer"] = equal(state, own_state)
    return verdict


def write_all(sample, target):
    """Writes every form, and loads it again."""
    target.mkdir(parents=True)
    model, judged = load_sample(sample), {}
    for form, write in WRITERS.items() if model is not None else []:
        path = str(target / form)
        try:
            write(model, path)
        except Exception:  # noqa: BLE001: this version does not have the form
            continue
        try:
            judged[form] = compare(form, load(form, path, sample), model)
        except Exception as error:  # noqa: BLE001: any failure is an answer
            judged[form] = {"load": short(error)}
    return judged


def judge_all(sample, folder):
    with np.load(sample.parent.parent / f"{sample.stem}.npz") as arrays:
        recorded = dict(arrays)
    expected, judged = load_sample(sample), {}
    for path in sorted(folder.iterdir()):
        form = path.name
        if "_000" in form or (expected is None and holds_weights_only(form)):
            continue  # a shard, or nothing to load it into
        try:
            model = load(form, str(path), sample)
            judged[form] = compare(form, model, expected)
            if form != "config.json":
                judged[form]["predictions"] = close(predict(model, recorded), recorded)
        except Exception as error:  # noqa: BLE001: any failure is a verdict
            judged[form] = {"load": short(error)}
    return judged


def load_sample(sample):
    keras.utils.clear_session()
    try:
        return keras.models.load_model(sample)
    except Exception as error:  # noqa: BLE001: an old version may not load its own files
        print(f"{sample}: {short(error)}", file=sys.stderr)
        return None


def main():
    samples, theirs, ours = map(Path, sys.argv[1:])
    files = sorted(samples.glob("*.keras"))
    print("WRITTEN" + json.dumps({f.stem: write_all(f, theirs / f.stem) for f in files}), flush=True)
    sys.stdin.readline()
    print("JUDGED" + json.dumps({f.stem: judge_all(f, ours / f.stem) for f in files}), flush=True)


main()
