"""Records a model with objects of the user's own: make_custom.py OUTDIR

A layer, an operation, an activation, an initializer, a cell, a loss and a metric, registered in the
package `my_package`. `custom.npz` holds inputs, predictions and what `evaluate` gives for zeros.
`block.keras` has a layer that holds other layers, and `block.npz` its inputs and predictions.
"""

import argparse
import os

import common
import keras
import numpy as np
from keras import layers, ops

register = keras.saving.register_keras_serializable("my_package")


@register
def bent(x):
    return ops.sqrt(x * x + 1) - 1 + x


@register
def apart(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)


@register
class Scaled(layers.Layer):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.gain = self.add_weight(name="gain", shape=(input_shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.gain * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@register
class Threes(keras.initializers.Initializer):
    def __init__(self, value=3.0):
        self.value = value

    def __call__(self, shape, dtype=None):
        return ops.full(shape, self.value, dtype)

    def get_config(self):
        return {"value": self.value}


@register
class Cubed(keras.Operation):
    def __init__(self, shift=0.0, name=None):
        super().__init__(name=name)
        self.shift = shift

    def call(self, x):
        return x**3 + self.shift

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)

    def get_config(self):
        return {"shift": self.shift}


@register
class Leaky(layers.Layer):
    """A cell: half of what it remembers leaks away in each step."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.state_size))

    def call(self, x, states):
        h = ops.tanh(x @ self.kernel) + 0.5 * states[0]
        return h, [h]

    def get_config(self):
        return {**super().get_config(), "units": self.state_size}


@register
class TransformerBlock(layers.Layer):
    """As in Keras's examples: attention and a small network, each added to what it was given."""

    def __init__(self, heads, width, hidden, **kwargs):
        super().__init__(**kwargs)
        self.settings = {"heads": heads, "width": width, "hidden": hidden}
        self.att = layers.MultiHeadAttention(num_heads=heads, key_dim=width)
        self.ffn = keras.Sequential([layers.Dense(hidden, activation="relu"), layers.Dense(width)])
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]

    def call(self, x):
        x = self.norms[0](x + self.att(x, x))
        return self.norms[1](x + self.ffn(x))

    def get_config(self):
        return {**super().get_config(), **self.settings}


@register
class Farthest(keras.metrics.Metric):
    """The largest difference seen."""

    def __init__(self, name="farthest", **kwargs):
        super().__init__(name=name, **kwargs)
        self.largest = self.add_variable((), initializer="zeros", name="largest")

    def update_state(self, y_true, y_pred, sample_weight=None):
        largest = ops.convert_to_tensor(self.largest)
        self.largest.assign(ops.maximum(largest, ops.max(ops.abs(y_true - y_pred))))

    def result(self):
        return ops.convert_to_tensor(self.largest)


def record_block(directory):
    """A classifier of texts around one block."""
    common.fresh("block")
    x = keras.Input((5,), dtype="int32")
    hidden = TransformerBlock(2, 4, 6)(layers.Embedding(7, 4)(x))
    model = keras.Model(x, layers.Dense(2, "softmax")(layers.GlobalAveragePooling1D()(hidden)))
    rng = common.generator("block")
    common.randomize(model, rng)
    inputs = rng.integers(0, 7, (3, 5)).astype("int32")
    with common.fixed_clock():
        model.save(os.path.join(directory, "block.keras"))
    arrays = {"x": inputs, "y": model.predict(inputs, verbose=0)}
    common.write_npz(os.path.join(directory, "block.npz"), arrays)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir")
    directory = parser.parse_args().outdir
    os.makedirs(directory, exist_ok=True)
    common.fresh("custom")
    x = keras.Input((4, 3))
    hidden = layers.Dense(3, activation=bent, kernel_initializer=Threes())(x)
    hidden = layers.Activation(bent)(Cubed(0.25)(Scaled(0.5)(hidden)))
    model = keras.Model(x, layers.RNN(Leaky(2))(hidden))
    rng = common.generator("custom")
    common.randomize(model, rng)
    model.compile("sgd", loss=apart, metrics=[apart, Farthest()])
    inputs = rng.normal(size=(5, 4, 3)).astype("float32")
    labels = np.zeros((5, 2), "float32")
    results = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    with common.fixed_clock():
        model.save(os.path.join(directory, "custom.keras"))
    arrays = {"x": inputs, "y": model.predict(inputs, verbose=0), "labels": labels}
    arrays |= {name: np.float32(value) for name, value in results.items()}
    common.write_npz(os.path.join(directory, "custom.npz"), arrays)
    record_block(directory)


if __name__ == "__main__":
    main()
