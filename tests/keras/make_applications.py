"""Records networks of keras.applications: make_applications.py OUTDIR [NAME ...]

Without names, MobileNetV2, ResNet50 and EfficientNetB0; `judge_applications.py` takes all of them.

Weights are random (`weights=None`), and so are the batch-norm statistics: those of a random batch,
disturbed, so that activations neither vanish nor grow and the logits differ between images. Each
network is recorded as logits (`NAME_logits`) and as probabilities (`NAME_probabilities`).
"""

import argparse

import common
import keras
import numpy as np

BATCH = 2
CALIBRATION = 4  # images whose batch statistics become the moving statistics

TANH = (-1.0, 1.0)  # the ranges of pixels that the networks were trained on
CAFFE = (-120.0, 130.0)
TORCH = (-2.1, 2.6)
BYTES = (0.0, 255.0)

RANGES = {
    TANH: [
        "Xception", "ResNet50V2", "ResNet101V2", "ResNet152V2", "InceptionV3", "InceptionResNetV2",
        "MobileNet", "MobileNetV2", "NASNetMobile", "NASNetLarge",
    ],
    CAFFE: ["VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152"],
    TORCH: ["DenseNet121", "DenseNet169", "DenseNet201"],
    BYTES: [
        "MobileNetV3Small", "MobileNetV3Large",
        *(f"EfficientNetB{i}" for i in range(8)),
        *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
        *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
    ],
}  # fmt: skip

# Larger images take longer and show nothing more.
LARGEST = 240

NETWORKS = {name: pixels for pixels, names in RANGES.items() for name in names}

RECORDED = {
    "mobilenet_v2": "MobileNetV2",
    "resnet50": "ResNet50",
    "efficientnet_b0": "EfficientNetB0",
}


def images(rng, shape, low, high):
    """Images with coarse patches and fine noise, of shape (count, rows, columns, 3) in [low, high]."""
    count, rows, columns, channels = shape
    coarse = rng.uniform(size=(count, 7, 7, channels))
    patches = np.kron(coarse, np.ones((1, -(-rows // 7), -(-columns // 7), 1)))
    noise = rng.uniform(size=shape)
    pixels = 0.7 * patches[:, :rows, :columns] + 0.3 * noise
    return (low + (high - low) * pixels).astype("float32")


def randomize(model, rng, calibration):
    """Random gamma, beta, biases and moving statistics; kernels keep Keras's initializers."""
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    for layer in model.layers:
        # Those with a mean in their config have no weights.
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
            layer.adapt_mean.assign(rng.uniform(0.4, 0.5, layer.adapt_mean.shape))
            layer.adapt_variance.assign(rng.uniform(0.04, 0.06, layer.adapt_variance.shape))
            layer.finalize_state()
    for variable in model.trainable_variables:
        if variable.name == "gamma":
            variable.assign(rng.normal(1.0, 0.1, variable.shape))
        elif variable.name in ("beta", "bias"):
            variable.assign(rng.normal(0.0, 0.1, variable.shape))
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0  # one training call then stores the batch's own statistics
    if norms:
        model(calibration, training=True)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
        deviation = np.sqrt(np.asarray(layer.moving_variance))
        layer.moving_mean.assign(
            layer.moving_mean + rng.normal(0, 0.1, deviation.shape) * deviation
        )
        layer.moving_variance.assign(
            layer.moving_variance * rng.uniform(0.8, 1.25, deviation.shape)
        )
    head = [layer for layer in model.layers if hasattr(layer, "kernel")][-1].kernel
    head.assign(head * 8.0)  # logits spread over several units


def build(architecture, activation, seed):
    """The network with the same weights whatever the activation of its last layer."""
    common.fresh(seed)
    rng = common.generator(seed)
    pixels = NETWORKS[architecture]
    constructor = getattr(keras.applications, architecture)
    settings = {"weights": None, "classifier_activation": activation}
    model = constructor(**settings)
    extents = tuple(min(extent or LARGEST, LARGEST) for extent in model.input_shape[1:])
    if extents != model.input_shape[1:]:
        common.fresh(seed)
        model = constructor(input_shape=extents, **settings)
    randomize(model, rng, images(rng, (CALIBRATION, *extents), *pixels))
    return model, images(rng, (BATCH, *extents), *pixels)


def differ(output):
    """How far the outputs of two images lie apart, as a part of the largest."""
    return np.max(np.abs(output[0] - output[1])) / np.max(np.abs(output))


def make(name, directory):
    for kind, activation in (("logits", None), ("probabilities", "softmax")):
        model, inputs = build(RECORDED[name], activation, name)
        (output,) = common.record(model, [inputs], directory, f"{name}_{kind}")
        apart = differ(output)
        if apart < 0.05:
            raise ValueError(f"{name}: the outputs of two images differ by only {apart:.3g}")
        if kind == "probabilities" and np.max(output) > 0.98:
            raise ValueError(f"{name}: saturated, largest probability {np.max(output)}")
        print(
            f"{name}_{kind}: [{output.min():.4g}, {output.max():.4g}], "
            f"deviation {output.std():.4g}, two images differ by {apart:.2g} of the largest"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir")
    parser.add_argument("names", nargs="*", choices=[*RECORDED, []], metavar="NAME")
    arguments = parser.parse_args()
    for name in arguments.names or RECORDED:
        make(name, arguments.outdir)


if __name__ == "__main__":
    main()
