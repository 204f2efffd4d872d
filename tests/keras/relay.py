"""The middle leg of a relay: ten steps in Keras on a model that keraunos has trained for ten.

usage: relay.py RECORDED WORK MODEL...

Reads WORK/MODEL-10.keras and the batches in RECORDED/relay-MODEL.npz; writes WORK/MODEL-20.keras and
the losses, WORK/MODEL-20.npz.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

LEG = 10


def train(model, x, y, steps):
    losses = []
    for step in steps:
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x[step], y[step], return_dict=True)["loss"]))
    return np.asarray(losses)


def main(recorded, work, *models):
    for name in models:
        model = keras.models.load_model(os.path.join(work, f"{name}-10.keras"))
        counting = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        # Steps, which `iterations` does not count where gradients are accumulated.
        assert model.optimizer.built and int(counting._iterations) == LEG
        arrays = np.load(os.path.join(recorded, f"relay-{name}.npz"))
        losses = train(model, arrays["x"], arrays["y"], range(LEG, 2 * LEG))
        model.save(os.path.join(work, f"{name}-20.keras"))
        np.savez(os.path.join(work, f"{name}-20.npz"), losses=losses)


if __name__ == "__main__":
    main(*sys.argv[1:])
