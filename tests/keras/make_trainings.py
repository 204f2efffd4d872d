"""Records trainings by Keras: three models with each optimizer, 20 steps each.

usage: make_trainings.py FOLDER

For each pair: MODEL-OPTIMIZER.keras as it was before the first step, and MODEL-OPTIMIZER.npz with the
loss, every weight and every variable of the optimizer after each step. MODEL.npz has the batches.

For the relay: relay-MODEL.keras, and relay-MODEL.npz with 30 batches and the losses of Keras alone.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers, optimizers

from relay import LEG, train

STEPS = 20
ROWS = 8
CLASSES = 3


def models():
    """No bias stands in front of a normalization: its gradient would be rounding noise, which most
    optimizers blow up to steps of full size."""
    yield "mlp", (6,), [
        layers.Dense(10, use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("tanh"),
        layers.Dense(CLASSES, activation="softmax", name="output"),
    ]
    yield "cnn", (8, 8, 1), [
        layers.Conv2D(4, 3, activation="tanh"),
        layers.MaxPooling2D(),
        layers.Conv2D(5, 2, activation="sigmoid"),
        layers.Flatten(),
        layers.Dense(CLASSES, activation="softmax", name="output"),
    ]
    yield "lstm", (5, 3), [
        layers.LSTM(6),
        layers.Dense(CLASSES, activation="softmax", name="output"),
    ]


def relay_models():
    """Further models, for the relay alone: name, shape of a sample, output."""
    tokens = keras.Input((6, 8))
    attended = layers.MultiHeadAttention(2, 4)(tokens, tokens)
    x = layers.LayerNormalization()(layers.Add()([tokens, attended]))
    inner = layers.Dense(16, activation="gelu")(x)
    x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(8)(inner)]))
    x = layers.GlobalAveragePooling1D()(x)
    yield "encoder", tokens, layers.Dense(CLASSES, activation="softmax")(x)
    frames = keras.Input((3, 5, 5, 2))
    x = layers.ConvLSTM2D(3, 3, padding="same")(frames)
    x = layers.Flatten()(layers.BatchNormalization()(x))
    yield "conv_lstm", frames, layers.Dense(CLASSES, activation="softmax")(x)
    steps = keras.Input((5, 3))
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(layers.Masking()(steps))
    x = layers.GRU(4, reset_after=False)(x)
    yield "gru", steps, layers.Dense(CLASSES, activation="softmax")(x)
    steps = keras.Input((5, 3))
    x = layers.Dense(4, activation="tanh", kernel_constraint="unit_norm")(steps)
    x = layers.SimpleRNN(4, kernel_regularizer="l2", recurrent_regularizer="l1")(x)
    yield "averaged", steps, layers.Dense(CLASSES, activation="softmax")(x)
    image = keras.Input((6, 6, 2))
    x = layers.SpectralNormalization(layers.Conv2D(4, 3, padding="same"))(image)
    x = layers.SeparableConv2D(4, 3, activation="relu")(x)
    x = layers.GlobalMaxPooling2D()(layers.GroupNormalization(2)(x))
    yield "scaled", image, layers.Dense(CLASSES, activation="softmax")(x)
    steps = keras.Input((5, 3))
    x = layers.LSTM(4, activity_regularizer="l2", go_backwards=True)(steps)
    yield "parts", steps, layers.Dense(CLASSES, activation="softmax")(x)


def all_optimizers():
    decay = optimizers.schedules.ExponentialDecay(0.05, 7, 0.5)
    return {
        "sgd": lambda: optimizers.SGD(0.1),
        "momentum": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=0.5),
        "schedule": lambda: optimizers.SGD(decay, momentum=0.5, weight_decay=0.01),
        "rmsprop": lambda: optimizers.RMSprop(0.005, momentum=0.5, centered=True),
        "adam": lambda: optimizers.Adam(0.01),
        "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True, global_clipnorm=0.5),
        "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.02, clipvalue=0.1),
        "adadelta": lambda: optimizers.Adadelta(1.0),
        "adagrad": lambda: optimizers.Adagrad(0.05),
        "adamax": lambda: optimizers.Adamax(0.01),
        "adafactor": lambda: optimizers.Adafactor(0.01),
        "nadam": lambda: optimizers.Nadam(0.01),
        "ftrl": lambda: optimizers.Ftrl(0.05, l1_regularization_strength=0.001),
        "lion": lambda: optimizers.Lion(0.002),
        "lamb": lambda: optimizers.Lamb(0.01),
        "muon": lambda: optimizers.Muon(0.01, exclude_layers=["output"]),
        "schedule_free": lambda: optimizers.ScheduleFreeAdamW(0.01),
        "averages": lambda: optimizers.Adam(
            0.01, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=6
        ),
        "accumulated": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=3),
        "loss_scale": lambda: optimizers.LossScaleOptimizer(
            optimizers.Adam(0.01), initial_scale=1024.0, dynamic_growth_steps=4
        ),
        "multi": lambda: optimizers.MultiOptimizer(
            optimizers.OptimizerMap(optimizers.Adam(0.01), {".*kernel": optimizers.SGD(0.1)})
        ),
    }


RELAY = {
    "encoder": lambda: optimizers.Adam(0.01, global_clipnorm=1.0),
    "conv_lstm": lambda: optimizers.Nadam(0.01),
    "gru": lambda: optimizers.Adagrad(0.05),
    "averaged": lambda: optimizers.Adam(
        0.01, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=4, clipvalue=0.1
    ),
    "scaled": lambda: optimizers.LossScaleOptimizer(
        optimizers.Lion(0.002), initial_scale=1024.0, dynamic_growth_steps=4
    ),
    "parts": lambda: optimizers.MultiOptimizer(
        optimizers.OptimizerMap(optimizers.Adam(0.01), {".*kernel": optimizers.SGD(0.1)})
    ),
    "mlp": lambda: optimizers.AdamW(0.01),
    "cnn": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "lstm": lambda: optimizers.RMSprop(
        optimizers.schedules.CosineDecay(0.01, 40), momentum=0.5, gradient_accumulation_steps=2
    ),
}


def batches(shape, rng, steps=STEPS):
    x = rng.normal(size=(steps, ROWS, *shape)).astype("float32")
    if len(shape) == 2:
        # Sequences of several lengths, for masks.
        x[:, ::2, -2:] = 0
    y = rng.integers(0, CLASSES, (steps, ROWS)).astype("int32")
    return x, y


def record(model, x, y):
    arrays = {}
    for step in range(STEPS):
        model.reset_metrics()
        loss, accuracy = model.train_on_batch(x[step], y[step])
        arrays[f"{step}/loss"] = np.asarray(loss, "float32")
        arrays[f"{step}/accuracy"] = np.asarray(accuracy, "float32")
        weights = [w for layer in model.layers for w in layer.weights]
        for kind, variables in [("w", weights), ("s", model.optimizer.variables)]:
            for i, variable in enumerate(variables):
                arrays[f"{step}/{kind}{i}"] = np.asarray(variable)
    return arrays


def record_relay(model, name, shape, rng, folder):
    x, y = batches(shape, rng, 3 * LEG)
    model.compile(RELAY[name](), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    path = os.path.join(folder, f"relay-{name}")
    model.save(f"{path}.keras")
    losses = train(model, x, y, range(3 * LEG))
    np.savez(f"{path}.npz", x=x, y=y, losses=losses)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(11)
    for name, shape, stack in models():
        x, y = batches(shape, rng)
        np.savez(os.path.join(folder, f"{name}.npz"), x=x, y=y)
        start = keras.Sequential([keras.Input(shape), *stack])
        for seed, layer in enumerate(start.layers):
            # Weights of every size, also where an initializer gives zeros.
            layer.set_weights(
                [
                    w + 0.2 * np.random.default_rng(seed).uniform(size=w.shape).astype("float32")
                    for w in layer.get_weights()
                ]
            )
        weights = start.get_weights()
        for title, make in all_optimizers().items():
            start.set_weights(weights)
            start.compile(
                make(), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
            )
            start.optimizer.build(start.trainable_variables)
            path = os.path.join(folder, f"{name}-{title}")
            start.save(f"{path}.keras")
            np.savez(f"{path}.npz", **record(start, x, y))
        start.set_weights(weights)
        record_relay(start, name, shape, rng, folder)
    for name, given, output in relay_models():
        record_relay(keras.Model(given, output), name, given.shape[1:], rng, folder)


if __name__ == "__main__":
    main(sys.argv[1])
