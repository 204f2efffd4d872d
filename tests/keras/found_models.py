"""Models that came out of what `random_models.py` found wrong, made small."""

import numpy as np
from keras import Input, Model, Sequential, layers, ops
from keras.dtype_policies import DTypePolicy, DTypePolicyMap
from models import example


def tokens(steps=6, dtype="int32"):
    return Input((steps,), dtype=dtype, name="tokens")


@example
def masked_block():
    """Masks on tensors, not in the file: MultiHeadAttention takes them off before the residual sum."""
    x = tokens()
    embedded = layers.Embedding(5, 4, mask_zero=True)(x)
    attended = layers.MultiHeadAttention(2, 3)(embedded, embedded, use_causal_mask=True)
    summed = layers.LayerNormalization()(layers.Add()([embedded, attended]))
    other = layers.Multiply()([attended, summed])
    return Model(x, [layers.LSTM(3)(attended), layers.GRU(3)(other), summed])


@example
def masked_attention():
    """Attention, AdditiveAttention and GroupQueryAttention with masks of query and value."""
    x = tokens()
    query = layers.Embedding(5, 4, mask_zero=True)(x)
    value = layers.Embedding(3, 4, mask_zero=True)(x % 3)
    plain = layers.Attention(use_scale=True)([query, value])
    additive = layers.AdditiveAttention()([query, value, query], use_causal_mask=True)
    grouped = layers.GroupQueryAttention(3, 4, 2)(query, value)
    return Model(x, [layers.GRU(2)(y) for y in (plain, additive, grouped)])


@example
def masked_merging():
    """What masks do to merging layers: products, extremes and joins leave out what does not count."""
    x = tokens()
    a = layers.Embedding(5, 3, mask_zero=True)(x)
    b = layers.Embedding(3, 3, mask_zero=True)(x % 3)
    kinds = [layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum]
    merged = [kind()([a, b]) for kind in [*kinds, layers.Minimum, layers.Concatenate]]
    merged.append(layers.Maximum()([a, layers.Dense(3)(b), a]))
    merged.append(layers.Concatenate(axis=1)([a, layers.UnitNormalization()(b)]))
    merged.append(layers.Multiply()([a, ops.tanh(b)]))
    return Model(x, [*merged, *(layers.GlobalAveragePooling1D()(y) for y in merged)])


@example
def masked_nested():
    """Masks into and out of nested models, and around layers that are given a state."""
    x = tokens()
    inner = Input((6, 3))
    hidden = layers.Dense(3, "tanh")(inner)
    functional = Model(inner, [layers.LSTM(2)(hidden), hidden])
    sequential = Sequential([layers.Dropout(0.2), layers.Dense(3), layers.GlobalAveragePooling1D()])
    embedded = layers.Embedding(5, 3, mask_zero=True)(x)
    last, steps = functional(embedded)
    state = layers.Dense(2)(last)
    outputs = [last, sequential(embedded), layers.GRU(2)(steps)]
    outputs.append(layers.GRU(2, return_sequences=True)(steps, initial_state=state))
    both = layers.Bidirectional(layers.LSTM(2, return_sequences=True), merge_mode=None)(steps)
    outputs += [layers.SimpleRNN(2)(y) for y in both]
    return Model(x, [*outputs, layers.TimeDistributed(layers.Dense(2))(steps)])


@example
def joined_rows():
    """Rows of a table joined with themselves: half of the picks lie outside and are thrown away."""
    x = tokens(dtype="uint8")
    embedded = layers.Embedding(12, 3)(x)
    return Model(x, [layers.Concatenate()([embedded, embedded]), layers.ZeroPadding1D(1)(embedded)])


@example
def half_boundaries():
    """Discretization under a float16 policy compares the numbers as they came."""
    x = Input((4,))
    layer = layers.Discretization([-1.0002, 0.1, 0.9], output_mode="int", dtype="float16")
    return Model(x, [layer(x), layer(x * 0.001 + 0.0999)])


@example
def complex_numbers():
    """Complex numbers between operations, in arithmetic with real ones, and as an output."""
    x = Input((3, 2))
    z = ops.view_as_complex(x)
    turned = ops.polar(x[..., 0], x[..., 1])
    product = ops.matmul(ops.expand_dims(z, 2), ops.expand_dims(turned, 1))
    quotient = (z * 2.0 - x[..., 1]) / (turned + 3.0)
    summed = ops.sum(ops.concatenate([ops.conj(z), ops.exp(quotient), x[..., 0]], 1), axis=1)
    real = [ops.abs(product), ops.angle(quotient), ops.real(z), ops.imag(turned)]
    return Model(x, [*real, ops.view_as_real(product), layers.Dense(2)(ops.abs(quotient)), summed])


@example
def whole_images():
    """Images in whole numbers: resizing keeps their dtype, what stretches or enlarges does not."""
    x = Input((6, 5, 3), dtype="uint8")
    outputs = [layers.Resizing(4, 7)(x), layers.Resizing(3, 5, dtype="uint8")(x)]
    outputs.append(layers.CenterCrop(4, 4, dtype="uint8")(x))
    outputs += [kind(x) for kind in (layers.CenterCrop(8, 4, dtype="uint8"), layers.CenterCrop(4, 4))]
    outputs.append(layers.AutoContrast(dtype="uint8")(x))
    return Model(x, [*outputs, layers.Dense(4, "sparsemax")(layers.Rescaling(0.1)(x))])


@example
def masked_scores():
    """The scores that attention gives have a mask: that of the softmax they come from."""
    x = Input((5, 4))
    attention = layers.MultiHeadAttention(2, 3)
    output, scores = attention(x, x, use_causal_mask=True, return_attention_scores=True)
    return Model(x, [output, scores, layers.Softmax(axis=2)(scores)])


@example
def mapped_policies():
    """A map of dtype policies: by path, by pattern, for parts of layers, and its default for the rest."""
    single, half = DTypePolicy("float32"), DTypePolicy("float16")
    keys = {"dense": single, "mha(/.*)?": single, "lstm(/lstm_cell)?": single}
    policies = DTypePolicyMap("float16", keys | {"half/.*": half})
    x = Input((4, 3))
    hidden = layers.Dense(3, dtype=policies, name="dense")(x)
    attended = layers.MultiHeadAttention(2, 3, dtype=policies, name="mha")(hidden, hidden)
    last = layers.LSTM(2, dtype=policies, name="lstm")(attended)
    added = layers.Add(dtype=policies, name="half")([x, x])
    flipped = layers.Permute((2, 1), dtype=policies, name="dense_of_other")(x)
    return Model(x, [hidden, attended, last, added, flipped])


@example
def complex_layers():
    """Complex numbers through layers that move, join, add and multiply elements."""
    x = Input((4, 3, 2))
    z = ops.view_as_complex(x)
    other = layers.Permute((2, 1))(layers.Reshape((3, 4))(z))
    merged = [kind()([z, other, x[..., 0]]) for kind in (layers.Add, layers.Multiply, layers.Average)]
    merged += [layers.Subtract()([x[..., 1], z]), layers.Concatenate(axis=1)([z, x[..., 0]])]
    merged += [layers.Dot(2)([z, other]), layers.Masking()(layers.ReLU()(x[..., 0]) * z)]
    moved = layers.Cropping1D((1, 0))(layers.ZeroPadding1D(2)(layers.UpSampling1D(2)(z)))
    pooled = [layers.GlobalAveragePooling1D()(moved), layers.AveragePooling1D(3)(moved)]
    repeated = layers.RepeatVector(2)(layers.Flatten()(layers.Dropout(0.2)(z)))
    return Model(x, [ops.view_as_real(y) for y in (*merged, moved, *pooled, repeated)])


@example
def whole_numbers():
    """Whole numbers and booleans into layers that keep them or make floats of them."""
    x = Input((5, 6, 2), dtype="int32")
    small, truth = ops.cast(x, "uint8"), x > 2
    outputs = [layers.MaxPooling2D(3, 2, padding="same")(y) for y in (-x, small)]
    outputs += [layers.GlobalAveragePooling2D()(y) for y in (x, small, truth)]
    kinds = ["leaky_relu", "gelu", "hard_sigmoid", "sparse_sigmoid", "softmax", "relu", "hard_tanh"]
    outputs += [layers.Activation(kind)(x - 2) for kind in kinds]
    outputs += [layers.LeakyReLU()(x - 2), layers.ELU()(x - 2), layers.LayerNormalization()(x)]
    outputs += [layers.Average()([truth, x > 1]), layers.Dot(3)([x, small])]
    pools = [layers.AveragePooling2D(2), layers.AveragePooling2D(3, 2, padding="same")]
    outputs += [pool(y) for pool in (*pools, layers.AdaptiveAveragePooling2D(2)) for y in (-x, small)]
    outputs += [layers.Softmax(axis=(1, 2))(-x), layers.PReLU()(x - 2), layers.Masking(1.5)(x)]
    rows = ops.reshape(x, (-1, 5, 12)) - 2
    outputs += [layers.Attention()([rows, rows]), layers.AdditiveAttention()([rows, rows])]
    outputs.append(layers.ActivityRegularization(0.1)(rows))
    largest = ops.cast(layers.MaxPooling2D(2)(truth), "int32")
    return Model(x, [*outputs, largest, layers.Masking()(truth)])


@example
def open_extents():
    """Sums of inputs one of which declares an extent that the other leaves open, and axes from behind."""
    x, other = Input((5, 4)), Input((None, 4))
    outputs = [layers.Add()([x, other]), layers.Concatenate()([x, other])]
    return Model([x, other], [*outputs, layers.LayerNormalization(axis=(-1, 1))(x)])


@example
def constant_arguments():
    """Arrays of NumPy as arguments of layers: what is added, masks, and states of a fixed batch."""
    x = Input((5, 4))
    lower = np.tril(np.ones((1, 5, 5), "bool"))
    attended = layers.MultiHeadAttention(2, 3)(x, x, attention_mask=lower)
    shifted = layers.Add()([attended, np.arange(20, dtype="float32").reshape((1, 5, 4))])
    states = [np.ones((5, 2), "float32"), np.zeros((5, 2), "float32")]
    steps = np.array([[1, 1, 0, 1, 0]] * 5, "bool")
    pooled = layers.GlobalAveragePooling1D()(x, mask=steps)
    return Model(x, [shifted, layers.LSTM(2)(x, initial_state=states), pooled])


@example
def products_of_int8():
    """Matrix products of int8 give int32; casts that keep to a range do so for every pair of dtypes."""
    x = Input((4, 4), dtype="int8")
    products = [ops.matmul(x, x), ops.einsum("bij,bjk->bik", x, x), ops.tensordot(x, x, axes=[[2], [2]])]
    kept = [ops.saturate_cast(x * 50, dtype) for dtype in ("uint8", "uint32", "float16")]
    return Model(x, [*products, *kept, ops.saturate_cast(ops.cast(x, "float32") * 3e4, "float16")])
