"""What forms of losses, their weights and metrics `compile` takes: writes tests/models/compile.json.

For each model and each set of arguments the logs of one step in Keras, or that Keras refuses them.
tests/compile.rs reads it; a new case is one line here.

    KERAS_BACKEND=jax python tests/keras/make_compile.py
"""

import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

X = (np.arange(12) % 5 - 2).reshape(4, 3).astype(np.float32)


def dense(name, units, x):
    initializer = keras.initializers.Constant(0.25 * units)
    return layers.Dense(units, name=name, kernel_initializer=initializer)(x)


def models():
    x = layers.Input((3,), name="x")
    a, b, c = dense("a", 2, x), dense("b", 1, x), dense("c", 3, x)
    return {
        "one": keras.Model(x, a),
        "listed": keras.Model(x, [a]),
        "two": keras.Model(x, [a, b]),
        "named": keras.Model(x, {"p": a, "q": b}),
        "deep": keras.Model(x, {"p": [a, b], "q": c}),
        "lists": keras.Model(x, [[a, b], c]),
    }


LOSS = {"loss": "mse"}
CASES = {
    "one": [
        {"loss": ["mse", "mae"]},
        {"loss": {"a": ["mse", "mae"]}},
        {"loss": ["mse", "mae"], "loss_weights": [0.5, 2.0]},
        {"loss": "mse", "loss_weights": [2.0]},
        {"loss": [None, "mae"]},
        {"loss": keras.losses.CategoricalFocalCrossentropy([0.2, 0.7], from_logits=True)},
        {**LOSS, "metrics": [["mae", None, "mse"]]},
        {**LOSS, "metrics": {"zz": ["mae"]}},
        {**LOSS, "metrics": ["mae"], "weighted_metrics": ["mae", ["mae"]]},
    ],
    "listed": [{"loss": ["mse", "mae"]}, {"loss": [["mse", "mae"]]}, {**LOSS, "metrics": ["mae"]}],
    "two": [
        {"loss": ["mse"]},
        {"loss": [["mse", "mae"], "mae"]},
        {"loss": [["mse", "mae"], "mae"], "loss_weights": [[1.0, 2.0], 3.0]},
        {"loss": [["mse", "mae"], "mae"], "loss_weights": [1.0, 2.0, 3.0]},
        {"loss": [None, "mae"]},
        {"loss": {"a": ["mse", "mae"], "b": None}},
        {"loss": {"a": "mse"}},
        {"loss": "mse", "loss_weights": [1.0, 2.0]},
        {"loss": ["mse", "mae", "mse"]},
        {"loss": {"b": "mae", "a": "mse"}, "loss_weights": {"b": 3.0, "a": 2.0}},
        {"loss": {"a": "mse", "b": "mae"}, "loss_weights": {"a": 2.0}},
        {"loss": ["mse", "mae"], "loss_weights": {"a": 2.0, "b": 3.0}},
        {"loss": ["mse", None], "loss_weights": [2.0, None]},
        {"loss": ["mse", None], "loss_weights": [2.0]},
        {**LOSS, "metrics": ["mae"]},
        {**LOSS, "metrics": ["mae", "mse"]},
        {**LOSS, "metrics": [["mae", "mse"], None]},
        {**LOSS, "metrics": [[], ["mae"]], "weighted_metrics": {"b": "mae"}},
        {**LOSS, "metrics": {"a": ["mae", ["mse"]]}},
        {**LOSS, "metrics": {"zz": "mae"}},
    ],
    "named": [
        {"loss": {"p": "mse"}},
        {"loss": {"p": ["mse", "mae"], "q": None}},
        {"loss": ["mse", "mae"]},
        {"loss": {"a": "mse", "b": "mae"}},
        {"loss": {"p": "mse", "q": "mae"}, "loss_weights": {"q": 2.0, "p": 1.0}},
        {**LOSS, "metrics": {"q": "mae"}},
        {**LOSS, "metrics": {"a": "mae"}},
    ],
    "deep": [
        LOSS,
        {"loss": {"p": ["mse", "mae"], "q": "mse"}},
        {"loss": ["mse", "mae", "mse"]},
        {"loss": {"p": ["mse", None]}},
        {"loss": {"q": "mse", "p": [["mse", "mae"], "mae"]}, "loss_weights": [1.0, 2.0, 3.0, 4.0]},
        {**LOSS, "metrics": {"p": ["mae", ["mae", "mse"]], "q": None}},
        {**LOSS, "metrics": ["mae", "mse", "mae"]},
        {**LOSS, "metrics": {"p": "mae"}},
    ],
    "lists": [LOSS, {"loss": [["mse", "mae"], "mse"]}, {**LOSS, "metrics": [["mae", None], "mse"]}],
}


def logs(config, arguments):
    model = keras.models.model_from_json(config)
    try:
        model.compile("sgd", **arguments)
        labels = [np.full((4, output.shape[1]), 0.3, np.float32) for output in model.outputs]
        # A list with one output is that output; whether its label is in a list, only Keras knows.
        one = len(labels) == 1
        y = labels[0] if one else keras.tree.pack_sequence_as(model._outputs_struct, labels)
        history = model.fit(X, y, batch_size=4, verbose=0).history
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
    return {key: float(values[0]) for key, values in history.items()}


def main():
    records = []
    for name, model in models().items():
        config = model.to_json()
        record = keras.saving.serialize_keras_object
        cases = [{"arguments": record(c), "logs": logs(config, c)} for c in CASES[name]]
        records.append({"name": name, "model": json.loads(config), "cases": cases})
    path = pathlib.Path(__file__).parent.parent / "models" / "compile.json"
    path.write_text(",\n".join(json.dumps(r) for r in records).join(("[\n", "\n]\n")))
    print(path.stat().st_size, "bytes")
    for record in records:
        for case in record["cases"]:
            print(record["name"], case)


if __name__ == "__main__":
    main()
