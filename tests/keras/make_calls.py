"""What `fit`, `evaluate`, `predict` and single steps give with each of their arguments: writes
tests/models/calls.json.

A case compiles a model from fixed weights, makes some calls, and records what each gave, or that Keras
refused it, and the weights behind the last one. Arrays of arguments go by their names in `ARRAYS`.
tests/calls.rs reads it; a new case is one line here.

    KERAS_BACKEND=jax python tests/keras/make_calls.py
"""

import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

ROWS = 10


def wave(seed, *shape):
    return np.sin(0.37 * np.arange(np.prod(shape)) + seed).reshape(shape).astype(np.float32)


CLASSES = (np.arange(ROWS) ** 2 % 3).astype(np.int32)
SEQUENCES = wave(3, ROWS, 5, 2)
for i in range(ROWS):
    SEQUENCES[i, 1 + i % 5 :] = 0
ARRAYS = {
    "x": wave(0, ROWS, 3),
    "vx": wave(7, 5, 3),
    "x4": wave(0, 4, 3),
    "y1": wave(1, ROWS, 1),
    "y1_4": wave(1, 4, 1),
    "y2": wave(2, ROWS, 2),
    "y2_4": wave(2, 4, 2),
    "vy1": wave(4, 5, 1),
    "vy2": wave(5, 5, 2),
    "flat": wave(1, ROWS),
    "binary": (CLASSES > 0).astype(np.int32),
    "binary1": (CLASSES > 0).astype(np.float32)[:, None],
    "classes": CLASSES,
    "classes1": CLASSES[:, None],
    "classes64": CLASSES.astype(np.int64),
    "halves": CLASSES.astype(np.float32) + 0.5,
    "hot": np.eye(3, dtype=np.float32)[CLASSES],
    "s": SEQUENCES,
    "sy": wave(6, ROWS, 5, 2),
    "hot_steps": np.eye(2, dtype=np.float32)[(np.arange(ROWS * 5) % 2).reshape(ROWS, 5)],
    "w": np.abs(wave(8, ROWS)) + 0.1,
    "w4": np.abs(wave(8, 4)) + 0.1,
    "vw": np.abs(wave(8, 5)) + 0.1,
    "v": np.abs(wave(9, ROWS)) + 0.1,
    "w1": np.abs(wave(8, ROWS, 1)) + 0.1,
    "w2": np.abs(wave(8, ROWS, 2)) + 0.1,
    "ws": np.abs(wave(8, ROWS, 5)) + 0.1,
    "ws1": np.abs(wave(8, ROWS, 5, 1)) + 0.1,
    "ws2": np.abs(wave(8, ROWS, 5, 2)) + 0.1,
    "wi": (np.arange(ROWS) % 3).astype(np.int32),
    "w64": (np.abs(wave(8, ROWS)) + 0.1).astype(np.float64),
    "short": wave(1, 7, 1),
}


def spectral(x, **flags):
    inner = layers.Dense(4, kernel_regularizer="l2", kernel_constraint="non_neg", bias_regularizer="l1", **flags)
    return layers.Dense(1)(layers.SpectralNormalization(inner, trainable=False)(x))


def flagged(s):
    """Layers that are frozen around parts that are not."""
    h = layers.RNN(layers.GRUCell(4), trainable=False)(s)
    chain = keras.Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(3)])
    i = layers.Input((3,))
    nested = keras.Model(i, layers.Dense(2)(layers.Dense(2)(i)))
    for part in (chain, nested):
        part.trainable = False
        part.layers[-1].trainable = True
    return layers.Dense(1)(nested(chain(h)))


def frozen(x):
    model = keras.Model(x, layers.Dense(1)(x))
    model.trainable = False
    return model


def models():
    x = layers.Input((3,), name="x")
    hidden = layers.Dense(4, activation="tanh")(x)
    a, b = layers.Dense(2, name="a")(hidden), layers.Dense(1, name="b")(hidden)
    c = layers.Dense(3, activation="softmax", name="c")(hidden)
    p = layers.Dense(1, activation="sigmoid", name="p")(hidden)
    s = layers.Input((5, 2), name="s")
    masked = layers.Masking()(s)
    return {
        "one": keras.Model(x, a),
        "column": keras.Model(x, b),
        "softmax": keras.Model(x, c),
        "sigmoid": keras.Model(x, p),
        "two": keras.Model(x, [a, b]),
        "named": keras.Model(x, {"q": b, "p": a}),
        "inputs": keras.Model({"k": x, "l": s}, layers.Dense(1)(layers.Concatenate()([x, layers.Flatten()(s)]))),
        "steps": keras.Model(s, layers.Dense(2, name="d")(masked)),
        "recurrent": keras.Model(s, layers.Dense(1)(layers.GRU(3)(masked))),
        "normal": keras.Model(x, layers.Dense(1)(layers.BatchNormalization(momentum=0.8)(hidden))),
        "spectral": keras.Model(x, spectral(x)),
        "spectral_frozen": keras.Model(x, spectral(x, trainable=False)),
        "flagged": keras.Model(s, flagged(s)),
        "frozen": frozen(x),
    }


MSE = {"loss": "mse"}
XY = {"x": "x", "y": "y2", "shuffle": False}
COLUMN = {"x": "x", "y": "y1", "shuffle": False}
TWO = {"x": "x", "y": ["y2", "y1"], "shuffle": False}
STEPS = {"x": "s", "y": "sy", "shuffle": False}


def fit(**arguments):
    return ("fit", arguments)


def evaluate(**arguments):
    return ("evaluate", arguments)


def train(**arguments):
    return ("train_on_batch", arguments)


def test(**arguments):
    return ("test_on_batch", arguments)


def predict(**arguments):
    return ("predict", arguments)


def cases():
    """Model, arguments of compile, calls."""
    yield "one", MSE, [fit(**XY)]
    yield "one", MSE, [fit(**XY, batch_size=4, epochs=3)]
    yield "one", MSE, [fit(**XY, batch_size=4, epochs=4, initial_epoch=2)]
    yield "one", MSE, [fit(**XY, epochs=2, initial_epoch=2)]
    yield "one", MSE, [fit(**XY, batch_size=100)]
    # Without a batch size the steps say it.
    for steps in [1, 2, 3, 4, 7, 12]:
        yield "one", MSE, [fit(**XY, steps_per_epoch=steps, epochs=2), evaluate(x="x", y="y2", steps=steps)]
    for steps in [1, 2, 3, 4, 5]:
        yield "one", MSE, [fit(**XY, batch_size=3, steps_per_epoch=steps, epochs=5)]
    yield "one", MSE, [fit(**XY, batch_size=3, steps_per_epoch=2, epochs=5, initial_epoch=2)]
    for split in [0.1, 0.25, 0.3, 0.55, 0.9]:
        yield "one", MSE, [fit(**XY, batch_size=4, validation_split=split)]
    for split in [0.01, 0.95, 1.0]:
        yield "one", MSE, [fit(**XY, batch_size=4, validation_split=split)]
    yield "one", MSE, [fit(**XY, validation_split=0.3, sample_weight="w")]
    given = {"validation_data": ["vx", "vy2"]}
    yield "one", MSE, [fit(**XY, **given, batch_size=3)]
    yield "one", MSE, [fit(**XY, **given, batch_size=3, validation_split=0.4)]
    yield "one", MSE, [fit(**XY, validation_data=["vx", "vy2", "vw"], batch_size=3)]
    yield "one", MSE, [fit(**XY, **given, batch_size=3, validation_batch_size=2)]
    for steps in [1, 2, 3, 4]:
        yield "one", MSE, [fit(**XY, **given, validation_steps=steps, epochs=2)]
        yield "one", MSE, [fit(**XY, **given, batch_size=3, validation_batch_size=2, validation_steps=steps, epochs=2)]
    yield "one", MSE, [fit(**XY, **given, steps_per_epoch=4, validation_steps=2)]
    for often in [1, 2, 3, [1, 3], [2], [4, 7], []]:
        yield "one", MSE, [fit(**XY, **given, batch_size=4, epochs=4, validation_freq=often)]
    yield "one", MSE, [fit(**XY, **given, batch_size=4, epochs=4, initial_epoch=1, validation_freq=2)]
    yield "one", {**MSE, "metrics": ["mae"]}, [fit(**XY, **given), fit(**XY)]
    # Weights of samples.
    both = {"loss": "mse", "metrics": ["mae"], "weighted_metrics": ["mae", "mse"]}
    for weight in ["w", "w1", "w2", "wi", "w64", "short"]:
        yield "one", both, [fit(**XY, sample_weight=weight, batch_size=4, epochs=2)]
        yield "one", both, [evaluate(x="x", y="y2", sample_weight=weight, batch_size=4)]
        yield "one", both, [train(x="x", y="y2", sample_weight=weight), test(x="x", y="y2", sample_weight=weight)]
        yield "column", both, [fit(**COLUMN, sample_weight=weight, batch_size=4)]
    yield "column", both, [fit(x="x", y="flat", shuffle=False, sample_weight="w")]
    yield "one", MSE, [fit(x="x", y="short", shuffle=False)]
    for weight in ["w", "ws", "ws1", "ws2", "w1"]:
        yield "steps", both, [fit(**STEPS, sample_weight=weight, batch_size=4)]
        yield "steps", both, [evaluate(x="s", y="sy", sample_weight=weight, batch_size=4)]
    yield "steps", both, [fit(**STEPS, batch_size=4), evaluate(x="s", y="sy", batch_size=3)]
    yield "recurrent", both, [fit(x="s", y="y1", shuffle=False, batch_size=4, epochs=2)]
    yield "recurrent", both, [fit(x="s", y="y1", shuffle=False, sample_weight="w", batch_size=4)]
    # Weights of classes.
    weights = {0: 2.0, 1: 0.5}
    counted = {"loss": "sparse_categorical_crossentropy", "weighted_metrics": ["accuracy"], "metrics": ["acc"]}
    for y in ["classes", "classes1", "classes64", "halves"]:
        yield "softmax", counted, [fit(x="x", y=y, shuffle=False, class_weight=weights, batch_size=4)]
    yield "softmax", counted, [fit(x="x", y="classes", shuffle=False, class_weight=weights, validation_split=0.3)]
    yield "softmax", counted, [fit(x="x", y="classes", shuffle=False, class_weight=weights, sample_weight="w")]
    yield "softmax", counted, [train(x="x", y="classes", class_weight=weights)]
    yield "softmax", counted, [train(x="x", y="classes", class_weight=weights, sample_weight="w")]
    hot = {"loss": "categorical_crossentropy", "weighted_metrics": ["accuracy"], "metrics": ["acc"]}
    yield "softmax", hot, [fit(x="x", y="hot", shuffle=False, class_weight=weights, batch_size=4)]
    flag = {"loss": "binary_crossentropy", "weighted_metrics": ["accuracy"], "metrics": ["acc", "AUC"]}
    for y in ["binary", "binary1"]:
        yield "sigmoid", flag, [fit(x="x", y=y, shuffle=False, class_weight=weights, batch_size=4)]
    yield "two", MSE, [fit(**TWO, class_weight=weights)]
    yield "two", MSE, [train(x="x", y=["y2", "y1"], class_weight=weights)]
    yield "steps", both, [fit(x="s", y="hot_steps", shuffle=False, class_weight=weights)]
    # Several outputs.
    each = {"loss": ["mse", "mae"], "metrics": [["mae"], ["mse"]], "weighted_metrics": [["mae"], ["mae", "mse"]]}
    for weight in [None, "w", "w1", "w2", ["w", "v"], ["w", "w1"], ["w2", "w"], ["w"], ["w", None]]:
        yield "two", each, [fit(**TWO, sample_weight=weight, batch_size=4)]
        yield "two", each, [evaluate(x="x", y=["y2", "y1"], sample_weight=weight)]
        yield "two", each, [train(x="x", y=["y2", "y1"], sample_weight=weight)]
    yield "two", each, [fit(x="x", y={"a": "y2", "b": "y1"}, shuffle=False)]
    yield "two", each, [fit(x="x", y={"b": "y1"}, shuffle=False)]
    yield "two", each, [fit(x="x", y=["y2"], shuffle=False)]
    yield "two", each, [fit(x="x", y="y2", shuffle=False)]
    yield "two", {"loss": [None, "mae"]}, [fit(x="x", y=["y1"], shuffle=False), evaluate(x="x", y="y1")]
    some = {"loss": [None, "mae"], "metrics": [[], ["mse"]]}
    yield "two", some, [fit(**TWO)]
    yield "two", some, [fit(x="x", y=["y1"], shuffle=False)]
    yield "two", some, [fit(x="x", y="y1", shuffle=False)]
    yield "two", {"loss": ["mse", None]}, [fit(x="x", y=["y2"], shuffle=False)]
    yield "two", {"loss": ["mse", None], "metrics": [["mae"], []]}, [fit(x="x", y=["y2"], shuffle=False)]
    yield "two", MSE, [fit(x="x", y=["y2"], shuffle=False)]
    yield "two", {"loss": ["mse", None]}, [fit(x="x", y=["y2"], shuffle=False, sample_weight=["w"])]
    yield "two", {"loss": ["mse", None]}, [fit(x="x", y=["y2", "y1"], shuffle=False, sample_weight="w")]
    yield "two", {"loss": {"a": "mse", "b": "mae"}, "loss_weights": {"a": 2.0, "b": 0.5}}, [fit(**TWO, validation_split=0.4)]
    named = {"loss": {"p": "mse", "q": "mae"}, "metrics": {"p": ["mae"]}, "weighted_metrics": {"q": "mae"}}
    keyed = {"p": "y2", "q": "y1"}
    for weight in [None, "w", {"p": "w", "q": "v"}]:
        yield "named", named, [fit(x="x", y=keyed, shuffle=False, sample_weight=weight, batch_size=4)]
    yield "named", {"loss": {"p": "mse"}}, [fit(x="x", y={"p": "y2"}, shuffle=False)]
    yield "named", {"loss": {"p": "mse", "q": None}}, [fit(x="x", y={"p": "y2"}, shuffle=False)]
    yield "named", named, [fit(x="x", y=["y2", "y1"], shuffle=False)]
    yield "inputs", MSE, [fit(x={"k": "x", "l": "s"}, y="y1", shuffle=False, batch_size=4), predict(x={"l": "s", "k": "x"})]
    yield "inputs", MSE, [fit(x=["x", "s"], y="y1", shuffle=False, batch_size=4)]
    # Names that several metrics share.
    same = {"loss": "mse", "metrics": ["mae", "mae", "mse"], "weighted_metrics": ["mae", "mae"]}
    yield "one", same, [fit(**XY, sample_weight="w", validation_split=0.3), train(x="x", y="y2")]
    yield "two", {"loss": "mse", "metrics": [["mae", "mae"], "mae"], "weighted_metrics": [["mae"], ["mae", "mae"]]}, [fit(**TWO)]
    objects = [keras.metrics.MeanSquaredError(name="m"), keras.metrics.MeanAbsoluteError(name="m")]
    yield "one", {"loss": "mse", "metrics": objects}, [fit(**XY)]
    yield "one", {"loss": "mse", "metrics": ["ce", "mae"]}, [fit(**XY)]
    yield "one", {"loss": "mse", "metrics": [keras.metrics.MeanSquaredError(name="loss")]}, [fit(**XY)]
    # Single steps forget the metrics of those before.
    yield "one", both, [train(x="x", y="y2"), train(x="x4", y="y2_4", sample_weight="w4"), test(x="x", y="y2"), test(x="x4", y="y2_4")]
    yield "one", both, [fit(**XY, batch_size=3), test(x="x", y="y2"), evaluate(x="x", y="y2", batch_size=3)]
    yield "normal", MSE, [fit(**COLUMN, batch_size=4, epochs=2), evaluate(x="x", y="y1", batch_size=4)]
    # Whose weights train, and whose rules hold, where layers are parts of others.
    for name in ["spectral", "spectral_frozen", "frozen"]:
        yield name, MSE, [fit(**COLUMN, batch_size=4, epochs=2), evaluate(x="x", y="y1")]
    yield "flagged", MSE, [fit(x="s", y="y1", shuffle=False, batch_size=4, epochs=2)]
    # What compile leaves out.
    yield "one", {}, [evaluate(x="x", y="y2")]
    yield "one", {"metrics": ["mae"]}, [evaluate(x="x", y="y2", batch_size=4)]
    yield "one", {"optimizer": None, "loss": "mse"}, [evaluate(x="x", y="y2", batch_size=4)]
    yield "one", {"loss": "mse", "loss_weights": 2.0}, [fit(**XY)]
    yield "one", {"loss": "mse", "loss_weights": [0.5], "run_eagerly": True, "jit_compile": False}, [fit(**XY)]
    for steps in [2, 3, 7]:
        many = {"loss": "mse", "metrics": ["mae"], "steps_per_execution": steps}
        yield "one", many, [fit(**XY, batch_size=2, epochs=2), evaluate(x="x", y="y2", batch_size=2)]
        yield "one", many, [fit(**XY, batch_size=2, steps_per_epoch=3, epochs=3), evaluate(x="x", y="y2", batch_size=2, steps=3)]
        yield "one", many, [predict(x="x", batch_size=2), predict(x="x", batch_size=2, steps=3)]
    for arguments in [{}, {"batch_size": 3}, {"batch_size": 3, "steps": 2}, {"steps": 2}, {"steps": 4}, {"batch_size": 3, "steps": 9}]:
        yield "one", MSE, [predict(x="x", **arguments)]
        yield "two", MSE, [predict(x="x", **arguments)]
    for arguments in [{"batch_size": 3}, {"batch_size": 3, "steps": 2}, {"batch_size": 3, "steps": 9}]:
        yield "one", both, [evaluate(x="x", y="y2", **arguments)]
        yield "two", each, [evaluate(x="x", y=["y2", "y1"], **arguments)]


def array(name):
    return ARRAYS.get(name, name)


def given(arguments):
    """Arguments with arrays for their names."""
    named = {}
    for key, value in arguments.items():
        is_data = key in ("x", "y", "sample_weight", "validation_data")
        named[key] = keras.tree.map_structure(array, value) if is_data else value
    if "validation_data" in named:
        named["validation_data"] = tuple(named["validation_data"])
    return named


def logs(found):
    return [[name, float(value)] for name, value in found.items()]


def call(model, name, arguments):
    """What a call gives; None where Keras refuses it."""
    arguments = given(arguments)
    if name in ("fit", "evaluate", "predict"):
        arguments["verbose"] = 0
    if name == "predict":
        found = keras.tree.flatten(model.predict(**arguments))
        return [np.asarray(one, "float64").round(6).tolist() for one in found]
    if name == "fit":
        history = model.fit(**arguments).history
        return [[key, [float(value) for value in values]] for key, values in history.items()]
    return logs(getattr(model, name)(**arguments, return_dict=True))


def record(model, weights, arguments, calls):
    model.set_weights(weights)
    compiled = {"optimizer": keras.optimizers.SGD(0.1), **arguments}
    results = []
    model.compile(**compiled)
    for name, given in calls:
        try:
            results.append(call(model, name, given))
        except Exception as error:
            results.append(None)
            print("refused:", name, given, str(error).strip().splitlines()[:1])
            break
    refused = results[-1] is None
    return {
        "compile": keras.saving.serialize_keras_object(arguments),
        "calls": [{"name": name, "arguments": given} for name, given in calls],
        "results": results,
        "weights": None if refused else [w.round(6).ravel().tolist() for w in model.get_weights()],
    }


def written(array):
    return {"dtype": str(array.dtype), "shape": array.shape, "values": array.ravel().tolist()}


def main():
    records = {}
    for name, model in models().items():
        weights = [0.5 * wave(i, *w.shape) for i, w in enumerate(model.get_weights())]
        if name == "normal":
            weights = [np.abs(w) if w.ndim == 1 else w for w in weights]
        records[name] = {
            "model": json.loads(model.to_json()),
            "weights": [w.ravel().tolist() for w in weights],
            "cases": [],
        }
        for title, arguments, calls in cases():
            if title == name:
                fresh = keras.models.model_from_json(model.to_json())
                records[name]["cases"].append(record(fresh, weights, arguments, calls))
    arrays = {name: written(array) for name, array in ARRAYS.items()}
    path = pathlib.Path(__file__).parent.parent / "models" / "calls.json"
    path.write_text(json.dumps({"arrays": arrays, "models": records}) + "\n")
    count = sum(len(record["cases"]) for record in records.values())
    print(count, "cases,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
