"""Writes the recorded models of text: make_text.py OUTDIR

Each is a pair: `NAME.keras`, and `NAME.npz` with inputs `x0`, `x1`, ... and Keras's outputs `y0`,
`y1`, .... Needs TensorFlow as backend, the only one on which Keras predicts from text.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import common
import keras
import numpy as np
import tensorflow as tf
from keras import Input, Model, Sequential, layers, tree

WORDS = ["the", "cat", "sat", "dog", "the cat", "cat sat", "c", "a", "t", "T", "ü"]
TEXTS = [
    "The cat, sat!", "", "dog  dog\tthe\vTHE", "über Ü ü straße", "a-b_c (d) 'e' \"f\"",
    "the cat sat the cat sat", "cat\u3000the", "x y\nz", "@#$%^&*", "T t  ",
]  # fmt: skip
TOKENS = ["ant", "bee", "crow", "", "[UNK]", "unknown", "ü", "ant "]
VOCABULARY = ["ant", "bee", "crow", "dog", "ü"]
EXAMPLES = {}


def example(build):
    """Registers a function that gives a model and its inputs."""
    EXAMPLES[build.__name__] = build
    return build


def column(strings):
    return np.array(strings).reshape(-1, 1)


def vectorize(x, **settings):
    """A TextVectorization of its own for settings."""
    return layers.TextVectorization(vocabulary=WORDS, **settings)(x)


@example
def text_standardize():
    """Every standardization and split, as indices."""
    x = Input((1,), dtype="string", name="text")
    outputs = [
        vectorize(x, standardize=standardize, split=split, output_sequence_length=8)
        for standardize in ("lower_and_strip_punctuation", "lower", "strip_punctuation", None)
        for split in ("whitespace", "character")
    ]
    outputs.append(vectorize(x, split=None))
    outputs.append(vectorize(x, split=None, output_sequence_length=3))
    return Model(x, outputs), [column(TEXTS)]


@example
def text_modes():
    """Every output mode, with and without n-grams, padded to the number of tokens or not."""
    x = Input((1,), dtype="string", name="text")
    outputs = [vectorize(x), vectorize(x, ngrams=2), vectorize(x, ngrams=(2, 3))]
    for mode in ("multi_hot", "count"):
        for more in ({}, {"ngrams": 2}, {"max_tokens": 20, "pad_to_max_tokens": True}):
            outputs.append(vectorize(x, output_mode=mode, **more))
    weights = [0.1 * (i + 1) for i in range(len(WORDS))]
    for more in ({}, {"ngrams": 3}, {"max_tokens": 15, "pad_to_max_tokens": True}):
        outputs.append(vectorize(x, output_mode="tf_idf", idf_weights=weights, **more))
    return Model(x, outputs), [column(TEXTS)]


@example
def text_adapted():
    """A classifier of text behind vocabularies that were adapted: words, counts and tf-idf."""
    x = Input((), dtype="string", name="text")
    words = layers.TextVectorization(max_tokens=9, output_sequence_length=5)
    weighted = layers.TextVectorization(max_tokens=12, output_mode="tf_idf", ngrams=2)
    words.adapt(TEXTS)
    weighted.adapt(TEXTS)
    embedded = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4, mask_zero=True)(words(x)))
    joined = layers.Concatenate()([embedded, weighted(x)])
    return Model(x, layers.Dense(3, "softmax")(joined)), [np.array(TEXTS)]


@example
def text_sequential():
    """Text in a Sequential model, which Keras builds with what it is called with."""
    model = Sequential([
        Input((1,), dtype="string"),
        layers.TextVectorization(vocabulary=WORDS, output_mode="multi_hot"),
        layers.Dense(2),
    ])  # fmt: skip
    return model, [column(TEXTS)]


@example
def string_lookups():
    """StringLookup in every mode, with masks and counts of unknown words."""
    x = Input((1,), dtype="string", name="token")
    settings = [
        {}, {"mask_token": ""}, {"num_oov_indices": 3}, {"num_oov_indices": 0, "mask_token": "ant"},
        {"num_oov_indices": 2, "mask_token": "", "oov_token": "unknown"},
    ]  # fmt: skip
    usual = [s for s in settings if s.get("num_oov_indices") != 0]
    lookup = lambda **more: layers.StringLookup(vocabulary=VOCABULARY, **more)(x)  # noqa: E731
    outputs = [lookup(**more) for more in usual]
    for mode in ("one_hot", "multi_hot", "count"):
        outputs += [lookup(output_mode=mode, **more) for more in usual]
    idf = [0.5, 1.0, 1.5, 2.0, 2.5]
    outputs.append(lookup(output_mode="tf_idf", idf_weights=idf, num_oov_indices=2))
    outputs.append(lookup(output_mode="count", max_tokens=9, pad_to_max_tokens=True))
    return Model(x, outputs), [column(TOKENS)]


@example
def lookups_of_rows():
    """Lookups of rows of several words, counted, and back to words."""
    x = Input((4,), dtype="string", name="tokens")
    rows = np.array(TOKENS * 2).reshape(-1, 4)
    lookup = layers.StringLookup(vocabulary=VOCABULARY, mask_token="", num_oov_indices=2)
    indices = lookup(x)
    counted = layers.StringLookup(vocabulary=VOCABULARY, output_mode="count")(x)
    hot = layers.StringLookup(vocabulary=VOCABULARY, output_mode="multi_hot", mask_token="")(x)
    ones = layers.StringLookup(vocabulary=VOCABULARY, output_mode="one_hot")(x)
    return Model(x, [indices, counted, hot, ones]), [rows]


@example
def hashes():
    """Hashing and HashedCrossing of text and integers: masks, salts, modes."""
    x, n = Input((1,), dtype="string", name="token"), Input((1,), dtype="int64", name="number")
    hashing = layers.Hashing
    outputs = [hashing(7)(x), hashing(7, mask_value="")(x), hashing(7, salt=[3, 4])(x)]
    outputs += [hashing(7, salt=5)(x), hashing(5, output_mode="one_hot")(x)]
    outputs += [hashing(5, output_mode="multi_hot")(x), hashing(5, output_mode="count")(x)]
    outputs += [hashing(9)(n), hashing(9, mask_value=3)(n), hashing(9, salt=[1, 2])(n)]
    crossing = layers.HashedCrossing
    outputs += [crossing(11)([x, n]), crossing(6, output_mode="one_hot")([x, n])]
    outputs += [crossing(11)([x, x]), crossing(11)([n, n])]
    numbers = np.array([0, 1, -1, 3, 2**31 - 1, -(2**31), 77, 12345]).reshape(-1, 1)
    return Model([x, n], outputs), [column(TOKENS), numbers]


@example
def text_nested():
    """A model of text within a model, called twice, beside numbers, from a dict with nested lists."""
    inner_x = Input((), dtype="string")
    inner = Model(inner_x, vectorize(inner_x, output_mode="count"), name="inner")
    title, body = Input((), dtype="string", name="title"), Input((), dtype="string", name="body")
    price = Input((2,), name="price")
    both = layers.Dense(3)(layers.Concatenate()([inner(title), inner(body), price]))
    rng = common.generator("text_nested")
    inputs = {"text": [title, body], "price": price}
    numbers = rng.normal(size=(len(TEXTS), 2)).astype("float32")
    # In the order of `model.inputs`, which is that of sorted keys.
    return Model(inputs, {"score": both}), [numbers, np.array(TEXTS), np.array(TEXTS[::-1])]


def make(name, directory):
    common.fresh(name)
    model, inputs = EXAMPLES[name]()
    common.randomize(model, common.generator(name))
    path = os.path.join(directory, name)
    with common.fixed_clock():
        model.save(f"{path}.keras")
    model = keras.saving.load_model(f"{path}.keras")
    given = [tensors(x) for x in inputs]
    structure = getattr(model, "_inputs_struct", None)
    given = given[0] if structure is None else tree.pack_sequence_as(structure, given)
    outputs = [np.asarray(y) for y in tree.flatten(model(given))]
    common.write_npz(f"{path}.npz", common.numbered(inputs, "x") | common.numbered(outputs, "y"))
    print(name, [y.shape for y in outputs])


def tensors(array):
    return tf.constant(array.tolist() if array.dtype.kind == "U" else array)


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    for chosen in sys.argv[2:] or EXAMPLES:
        make(chosen, sys.argv[1])
