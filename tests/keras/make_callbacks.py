"""Records what Keras's callbacks do with given values: tests/callbacks.json.

A callback in front of the one under test replaces the logs of each epoch, so that the recorded
decisions depend on nothing else.
"""

import json
import os
import sys
import tempfile

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np


class Given(keras.callbacks.Callback):
    """Puts given values into the logs."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        for name, values in self.values.items():
            value = values[epoch]
            if value is None:
                logs.pop(name, None)
            else:
                logs[name] = value


def model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    # The weights tell the epoch: every step adds as much to the bias.
    model.compile(keras.optimizers.SGD(0.5), loss="mean_absolute_error", metrics=["mae"])
    return model


def fit(values, callbacks, epochs):
    trained = model()
    x = np.zeros((1, 1), "float32")
    history = trained.fit(
        x, x + 1000, epochs=epochs, verbose=0, callbacks=[Given(values), *callbacks]
    )
    return trained, history


def early_stopping(rng):
    epochs = 12
    name = str(rng.choice(["loss", "val_loss", "mae"]))
    arguments = {
        "monitor": name,
        "patience": int(rng.integers(0, 4)),
        "min_delta": float(rng.choice([0.0, 0.05])),
        "mode": str(rng.choice(["auto", "min", "max"])),
        "baseline": None if rng.random() < 0.6 else float(rng.uniform(0.2, 0.8)),
        "restore_best_weights": bool(rng.random() < 0.5),
        "start_from_epoch": int(rng.choice([0, 0, 3])),
    }
    values = rng.uniform(0, 1, epochs).round(2).tolist()
    if rng.random() < 0.3:
        values[int(rng.integers(0, epochs))] = None
    callback = keras.callbacks.EarlyStopping(**arguments)
    trained, history = fit({name: values}, [callback], epochs)
    return {
        "arguments": arguments,
        "values": values,
        "epochs": len(history.epoch),
        "stopped_epoch": callback.stopped_epoch,
        "bias": float(trained.get_weights()[1][0]),
    }


def reduce_lr(rng):
    epochs = 14
    arguments = {
        "monitor": "val_loss",
        "factor": float(rng.choice([0.1, 0.5])),
        "patience": int(rng.integers(0, 4)),
        "min_delta": float(rng.choice([1e-4, 0.05])),
        "mode": str(rng.choice(["auto", "min", "max"])),
        "cooldown": int(rng.integers(0, 3)),
        "min_lr": float(rng.choice([0.0, 0.01])),
    }
    values = rng.uniform(0, 1, epochs).round(2).tolist()
    callback = keras.callbacks.ReduceLROnPlateau(**arguments)
    _, history = fit({"val_loss": values}, [callback], epochs)
    rates = [float(rate) for rate in history.history["learning_rate"]]
    return {"arguments": arguments, "values": values, "rates": rates}


def checkpoint(rng):
    epochs = 6
    values = rng.uniform(0, 1, epochs).round(3).tolist()
    arguments = {
        "filepath": str(rng.choice(["{epoch:02d}-{val_loss:.2f}.keras", "{epoch}.weights.h5"])),
        "monitor": "val_loss",
        "save_best_only": bool(rng.random() < 0.7),
        "mode": str(rng.choice(["auto", "min", "max"])),
        "initial_value_threshold": None if rng.random() < 0.5 else 0.4,
    }
    with tempfile.TemporaryDirectory() as folder:
        given = dict(arguments, filepath=os.path.join(folder, arguments["filepath"]))
        weights_only = given["filepath"].endswith(".weights.h5")
        callback = keras.callbacks.ModelCheckpoint(**given, save_weights_only=weights_only)
        fit({"val_loss": values}, [callback], epochs)
        files = sorted(os.listdir(folder))
    return {"arguments": arguments, "values": values, "files": files}


def csv_log(values, **arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log.csv")
        for _ in range(2):
            logger = keras.callbacks.CSVLogger(path, **arguments)
            fit(values, [logger], len(next(iter(values.values()))))
        with open(path, newline="") as file:
            text = file.read()
    return {"arguments": arguments, "values": values, "text": text}


def main(path):
    rng = np.random.default_rng(5)
    values = {"loss": [0.5, 1e-7], "mae": [2.0, float("1e22")], "a,b": [1.0, 0.1]}
    validated = dict(values, val_loss=[None, 0.25], val_mae=[0.125, None])
    recorded = {
        "early_stopping": [early_stopping(rng) for _ in range(24)],
        "reduce_lr": [reduce_lr(rng) for _ in range(12)],
        "checkpoint": [checkpoint(rng) for _ in range(12)],
        "csv": [
            csv_log(values),
            csv_log(validated, separator=";"),
            csv_log(values, append=True),
        ],
    }
    with open(path, "w") as file:
        json.dump(recorded, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
