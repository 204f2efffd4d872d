"""Records MobileNetV2, ResNet50 and EfficientNetB0: make_applications.py OUTDIR [NAME ...]

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

NETWORKS = {
    "mobilenet_v2": (keras.applications.MobileNetV2, (-1.0, 1.0)),
    "resnet50": (keras.applications.ResNet50, (-120.0, 130.0)),
    "efficientnet_b0": (keras.applications.EfficientNetB0, (0.0, 255.0)),
}


def images(rng, count, low, high):
    """Images with coarse patches and fine noise, of shape (count, 224, 224, 3) in [low, high]."""
    patches = np.kron(rng.uniform(size=(count, 7, 7, 3)), np.ones((1, 32, 32, 1)))
    noise = rng.uniform(size=(count, 224, 224, 3))
    return (low + (high - low) * (0.7 * patches + 0.3 * noise)).astype("float32")


def randomize(model, rng, calibration):
    """Random gamma, beta, biases and moving statistics; kernels keep Keras's initializers."""
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
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
    head = model.get_layer("predictions").kernel
    head.assign(head * 8.0)  # logits spread over several units


def build(name, activation):
    """The network with the same weights whatever the activation of its last layer."""
    common.fresh(name)
    rng = common.generator(name)
    constructor, (low, high) = NETWORKS[name]
    model = constructor(weights=None, classifier_activation=activation)
    randomize(model, rng, images(rng, CALIBRATION, low, high))
    return model, images(rng, BATCH, low, high)


def make(name, directory):
    for kind, activation in (("logits", None), ("probabilities", "softmax")):
        model, inputs = build(name, activation)
        (output,) = common.record(model, [inputs], directory, f"{name}_{kind}")
        apart = np.max(np.abs(output[0] - output[1])) / np.max(np.abs(output))
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
    parser.add_argument("names", nargs="*", choices=[*NETWORKS, []], metavar="NAME")
    arguments = parser.parse_args()
    for name in arguments.names or NETWORKS:
        make(name, arguments.outdir)


if __name__ == "__main__":
    main()
