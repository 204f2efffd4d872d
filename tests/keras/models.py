"""Small models of every kind that the loader must know, one function each.

A function decorated with `example` builds a model; its docstring says what the model exercises and
goes into the manifest. Weights and inputs are drawn afterwards by `make_models.py`, except for
examples that train.
"""

import keras
import numpy as np
from keras import Input, Model, Sequential, layers, ops

EXAMPLES = {}


def example(build):
    """Registers a builder under its own name."""
    EXAMPLES[build.__name__] = build
    return build


def train(model, *, classes, steps=3):
    """Three optimizer steps on random data, so that slots and iteration count are not zero."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(8 * steps, *model.input_shape[1:])).astype("float32")
    y = rng.integers(0, classes, size=8 * steps)
    model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)


@example
def docs_example():
    """The example of the Keras documentation: Dense(5) on (3,), then Softmax."""
    return Sequential([Input((3,)), layers.Dense(5), layers.Softmax()])


@example
def mlp():
    """Sequential multilayer perceptron: batch normalization, dropout, activations by name."""
    return Sequential(
        [
            Input((12,)),
            layers.Dense(32, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(24, use_bias=False),
            layers.BatchNormalization(scale=False, center=False, epsilon=1e-5),
            layers.Activation("swish"),
            layers.GaussianNoise(0.1),
            layers.Dense(16, activation="tanh"),
            layers.LeakyReLU(negative_slope=0.1),
            layers.Dense(7, activation="softmax"),
        ]
    )


@example
def mlp_on_sequence():
    """Dense and batch normalization on inputs of rank 3, then Flatten."""
    return Sequential(
        [
            Input((6, 5)),
            layers.Dense(8, activation="gelu"),
            layers.BatchNormalization(axis=1),
            layers.Flatten(),
            layers.Dense(3, activation="sigmoid"),
        ]
    )


@example
def mlp_compiled():
    """Compiled with Adam and metrics, trained for three steps: optimizer state must survive."""
    model = Sequential(
        [
            Input((10,)),
            layers.Dense(16, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3)),
            layers.BatchNormalization(),
            layers.Dense(4),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss=loss, metrics=["accuracy"])
    train(model, classes=4)
    return model


@example
def frozen_base():
    """A frozen sub-model under a trained head: momentum slots exist for the head only."""
    base = Sequential(
        [Input((9,)), layers.Dense(8, activation="relu"), layers.BatchNormalization()], name="base"
    )
    base.trainable = False
    inputs = Input((9,))
    model = Model(inputs, layers.Dense(3, activation="softmax")(base(inputs, training=False)))
    sgd = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=1.0)
    model.compile(optimizer=sgd, loss="sparse_categorical_crossentropy")
    train(model, classes=3)
    return model


@example
def configured():
    """Initializers, regularizers, constraints and names in the config, which must survive."""
    return Sequential(
        [
            Input((6,), name="features"),
            layers.Dense(
                8,
                kernel_initializer=keras.initializers.HeNormal(seed=3),
                bias_initializer=keras.initializers.Constant(0.5),
                kernel_regularizer=keras.regularizers.L1L2(l1=1e-4, l2=1e-3),
                activity_regularizer=keras.regularizers.L2(1e-3),
                kernel_constraint=keras.constraints.MaxNorm(2.0),
                bias_constraint="non_neg",
                name="first hidden",
            ),
            layers.ReLU(max_value=4.0, negative_slope=0.1, threshold=0.2, trainable=False),
            layers.Dense(3, kernel_initializer="orthogonal", name="scores"),
        ],
        name="configured model",
    )


@example
def deferred():
    """Sequential without an Input, built by its first call: shapes stand in build_config only."""
    model = Sequential([layers.Dense(6, activation="elu"), layers.Dense(2)])
    model(np.zeros((1, 4), "float32"))
    return model


@example
def activations():
    """Every activation of the multilayer perceptron by name, one output each."""
    names = (
        "relu relu6 leaky_relu elu selu celu gelu swish silu mish tanh sigmoid hard_sigmoid "
        "hard_swish softplus softsign exponential linear softmax log_softmax log_sigmoid"
    ).split()
    inputs = Input((9,))
    return Model(inputs, [layers.Activation(name, name=name)(inputs) for name in names])


@example
def activation_layers():
    """Activation layers with arguments."""
    inputs = Input((4, 6))
    stack = [
        layers.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.3),
        layers.LeakyReLU(negative_slope=0.4),
        layers.PReLU(shared_axes=[1], alpha_initializer=keras.initializers.Constant(0.25)),
        layers.ELU(alpha=0.7),
        layers.Softmax(axis=1),
        layers.Activation(keras.activations.gelu),
    ]
    return Model(inputs, [layer(inputs) for layer in stack])


@example
def demo_cnn():
    """Small convolutional classifier: the model of `make demo`."""
    inputs = Input((16, 16, 3), name="image")
    x = layers.Rescaling(0.5, offset=0.1)(inputs)
    x = layers.Conv2D(12, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(max_value=6.0)(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("swish")(x)
    skip = layers.Conv2D(16, 1)(x)
    x = layers.SeparableConv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.Add()([x, skip])
    x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.25)(x)
    outputs = layers.Dense(10, activation="softmax", name="class")(x)
    return Model(inputs, outputs, name="demo_cnn")


@example
def cnn():
    """Sequential convolutional network: paddings, strides, dilations, pooling, Flatten."""
    return Sequential(
        [
            Input((17, 15, 3)),
            layers.Conv2D(8, (3, 5), strides=(2, 1), padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(8, 3, dilation_rate=(2, 1), padding="valid"),
            layers.ELU(alpha=0.5),
            layers.DepthwiseConv2D((3, 2), depth_multiplier=2, padding="valid"),
            layers.MaxPooling2D((2, 3), strides=(1, 2), padding="same"),
            layers.SeparableConv2D(6, 3, padding="same", depth_multiplier=2),
            layers.AveragePooling2D(2, padding="same"),
            layers.Flatten(),
            layers.Dense(5),
        ]
    )


@example
def conv_options():
    """One convolution or pooling option per output, on an image of odd size."""
    inputs = Input((11, 9, 4))
    branches = [
        layers.Conv2D(6, 3, groups=2),
        layers.Conv2D(6, (4, 2), strides=(3, 2), padding="same"),
        layers.Conv2D(5, (2, 3), strides=2, padding="valid", use_bias=False),
        layers.Conv2D(3, 3, dilation_rate=2, padding="same"),
        layers.DepthwiseConv2D(3, strides=2, padding="same"),
        layers.DepthwiseConv2D(2, dilation_rate=2, padding="same", depth_multiplier=3),
        layers.SeparableConv2D(5, 3, strides=2, depth_multiplier=2),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.MaxPooling2D((2, 1), padding="valid"),
        layers.AveragePooling2D(3, strides=2, padding="same"),
        layers.AveragePooling2D((3, 2), padding="valid"),
        layers.GlobalMaxPooling2D(keepdims=True),
        layers.GlobalAveragePooling2D(),
    ]
    return Model(inputs, [branch(inputs) for branch in branches])


@example
def channels_first():
    """Convolution, pooling and batch normalization with data_format="channels_first"."""
    form = {"data_format": "channels_first"}
    return Sequential(
        [
            Input((3, 10, 8)),
            layers.ZeroPadding2D(1, **form),
            layers.Conv2D(4, 3, strides=(1, 2), **form),
            layers.MaxPooling2D(2, **form),
            layers.BatchNormalization(axis=1),
            layers.Flatten(**form),
            layers.Dense(4),
        ]
    )


@example
def conv_1d_3d():
    """Convolutions over one and three spatial axes, causal padding included."""
    line, volume = Input((20, 3), name="line"), Input((6, 5, 4, 2), name="volume")
    a = layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu")(line)
    a = layers.MaxPooling1D(2)(a)
    a = layers.SeparableConv1D(4, 3, padding="same")(a)
    a = layers.GlobalAveragePooling1D()(a)
    b = layers.Conv3D(4, 3, padding="same", strides=(2, 1, 1))(volume)
    b = layers.AveragePooling3D((1, 2, 2))(b)
    b = layers.GlobalMaxPooling3D()(b)
    return Model([line, volume], layers.Concatenate()([a, b]))


@example
def upsampling():
    """Transposed convolution, up-sampling, zero padding and cropping."""
    inputs = Input((5, 6, 3))
    a = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(inputs)
    b = layers.UpSampling2D(2)(inputs)
    b = layers.Cropping2D(((1, 0), (0, 2)))(b)
    b = layers.ZeroPadding2D(((0, 1), (2, 0)))(b)
    c = layers.Conv2DTranspose(2, (2, 3), strides=(1, 2), padding="valid")(inputs)
    return Model(inputs, [layers.Concatenate()([a, b]), c])


@example
def residual_blocks():
    """Functional convolutional network of MobileNetV2's and ResNet's blocks, and squeeze-excite."""
    inputs = Input((12, 12, 4))
    x = layers.Conv2D(16, 1, use_bias=False)(inputs)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = layers.DepthwiseConv2D(3, strides=2, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = shortcut = layers.BatchNormalization()(layers.Conv2D(8, 1, use_bias=False)(x))
    x = layers.Activation("relu")(
        layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(x))
    )
    x = layers.Activation("relu")(layers.Add()([shortcut, x]))
    squeeze = layers.GlobalAveragePooling2D()(x)
    squeeze = layers.Reshape((1, 1, 8))(squeeze)
    squeeze = layers.Conv2D(2, 1, activation="swish")(squeeze)
    squeeze = layers.Conv2D(8, 1, activation="sigmoid")(squeeze)
    x = layers.Multiply()([x, squeeze])
    return Model(inputs, layers.Dense(6)(layers.GlobalMaxPooling2D()(x)))


@example
def two_inputs_two_outputs():
    """Functional, lists of inputs and outputs of different ranks."""
    image, table = Input((8, 8, 2), name="image"), Input((5,), name="table")
    x = layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(image))
    x = layers.Concatenate()([layers.Dense(6)(x), layers.Dense(6, activation="tanh")(table)])
    price = layers.Dense(1, name="price")(x)
    kind = layers.Dense(3, activation="softmax", name="kind")(x)
    return Model([image, table], [price, kind])


@example
def dictionaries():
    """Functional with a dict of inputs and a dict of outputs; keys are not in creation order."""
    inputs = {"width": Input((3,), name="width"), "height": Input((4,), name="height")}
    a, b = layers.Dense(5)(inputs["width"]), layers.Dense(5)(inputs["height"])
    outputs = {"sum": layers.Add()([a, b]), "product": layers.Multiply()([a, b])}
    return Model(inputs, outputs)


@example
def optional_inputs():
    """A mask and a state that may be left out, taken by a recurrent layer and a nested model."""
    x = Input((5, 4), name="x")
    mask = Input((5,), dtype="bool", name="mask", optional=True)
    state = Input((3,), name="state", optional=True)
    inner_x, inner_mask = Input((5, 4)), Input((5,), dtype="bool", optional=True)
    inner = Model([inner_x, inner_mask], layers.GlobalAveragePooling1D()(inner_x, mask=inner_mask))
    outputs = [layers.GRU(3)(x, mask=mask, initial_state=state), inner([x, mask])]
    return Model({"x": x, "mask": mask, "state": state}, outputs)


@example
def shared_layers():
    """Dense and BatchNormalization called on two inputs: two nodes each, one set of weights."""
    left, right = Input((6,), name="left"), Input((6,), name="right")
    dense, norm = layers.Dense(4, activation="relu"), layers.BatchNormalization()
    distance = layers.Subtract()([norm(dense(left)), norm(dense(right))])
    return Model([left, right], layers.Dense(1, activation="sigmoid")(distance))


@example
def nested():
    """Functional and Sequential sub-models, one called twice, one holding another."""
    inner_in = Input((6,), name="inner_in")
    hidden = layers.Dense(6, activation="relu")(inner_in)
    inner = Model(inner_in, [layers.Dense(3)(hidden), layers.Dense(2)(hidden)], name="inner")
    tower = Sequential([Input((4,)), layers.Dense(6), layers.BatchNormalization()], name="tower")
    block_in = Input((4,))
    block = Model(block_in, layers.Activation("tanh")(tower(block_in)), name="block")
    left, right = Input((4,), name="left"), Input((4,), name="right")
    a = inner(block(left))
    b = inner(block(right))
    merged = layers.Concatenate()([a[0], b[1], b[0]])
    return Model([left, right], [layers.Dense(2)(merged), a[1]])


@example
def nested_sequential():
    """Sequential of Sequentials and a Functional."""
    features_in = Input((8, 8, 3))
    features = Model(
        features_in, layers.MaxPooling2D()(layers.Conv2D(4, 3)(features_in)), name="features"
    )
    head = Sequential([layers.Flatten(), layers.Dense(5, activation="softmax")], name="head")
    return Sequential([Input((8, 8, 3)), layers.Rescaling(1 / 127.5, -1.0), features, head])


@example
def merging():
    """Every merging layer, with broadcasting."""
    a, b, c = Input((4, 6), name="a"), Input((4, 6), name="b"), Input((1, 6), name="c")
    merge = [layers.Add(), layers.Multiply(), layers.Average(), layers.Maximum(), layers.Minimum()]
    outputs = [layer([a, b, c]) for layer in merge]
    outputs.append(layers.Subtract()([a, b]))
    outputs.append(layers.Concatenate(axis=1)([a, b, c]))
    outputs.append(layers.Dot(axes=2)([a, b]))
    outputs.append(layers.Dot(axes=(1, 1), normalize=True)([a, b]))
    return Model([a, b, c], outputs)


@example
def op_nodes():
    """Bare operations between layers: arithmetic on both sides, keras.ops with arguments."""
    x = Input((4, 6))
    y = layers.Dense(6)(x * 2.0 + 1.0)
    y = ops.relu(1.0 - y) / 3.0
    z = ops.concatenate([y, -x], axis=-1)
    z = ops.reshape(z, (-1, 8, 6))
    outputs = [ops.sum(z, axis=1), ops.mean(z, axis=(1, 2), keepdims=True), ops.exp(y) - x**2]
    outputs += [z[:, 1:7:2, ::-1], z[:, -1], ops.max(ops.transpose(z, (0, 2, 1)), axis=-1)]
    outputs += [ops.maximum(x, y), ops.sqrt(ops.abs(x)), ops.clip(y, 0.1, 0.5)]
    return Model(x, outputs)


@example
def reshaping():
    """Flatten, Reshape with a free axis, Permute, RepeatVector."""
    inputs = Input((4, 6))
    a = layers.Permute((2, 1))(inputs)
    a = layers.Reshape((-1, 3))(a)
    b = layers.RepeatVector(5)(layers.Flatten()(inputs))
    return Model(inputs, [a, b, layers.Reshape((2, 3, 4))(inputs)])


@example
def normalizations():
    """Normalization by stored statistics, batch normalization on axis 1, layer normalization."""
    inputs = Input((6, 5))
    outputs = [
        layers.Normalization(mean=0.3, variance=2.0)(inputs),
        layers.Normalization(axis=-1)(inputs),
        layers.BatchNormalization(axis=1, momentum=0.9)(inputs),
        layers.LayerNormalization()(inputs),
        layers.LayerNormalization(axis=(1, 2), epsilon=1e-5, scale=False)(inputs),
    ]
    return Model(inputs, outputs)


@example
def distilled():
    """A distiller, trained for a step: its student predicts, its teacher and state are kept."""

    def network(units, name):
        inputs = Input((5,))
        features = layers.Dense(units, activation="relu", name="features")(inputs)
        return Model(inputs, layers.Dense(3, name="logits")(features), name=name)

    losses = [
        keras.distillation.LogitsDistillation(temperature=2.0),
        keras.distillation.FeatureDistillation("mse", "features", "features"),
    ]
    teacher, student = network(6, "teacher"), network(6, "student")
    model = keras.distillation.Distiller(teacher, student, losses, [1.0, 0.5], 0.3)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    model.train_on_batch(rng.normal(size=(8, 5)).astype("float32"), rng.integers(0, 3, 8))
    return model
