"""What layers of images give in training: writes tests/models/augmentation.json.

A list of cases, each with a layer's class and config, its output for the images that `images` makes
(in files by their formula, not their numbers), and for layers that move boxes the output for those of
`boxes`. tests/augmentation.rs reads it; a new case is one line here.

    KERAS_BACKEND=jax python tests/keras/make_augmentation.py
"""

import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"

import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

SHAPE = (3, 5, 6, 3)
BOXES = [[[0.5, 1.0, 3.0, 4.0], [2.0, 0.0, 5.5, 2.5]]] * 3
CASES = []


def images(shape):
    """Numbers from 0 to 255: element i is 255 (37 i mod 101) / 101."""
    count = np.arange(np.prod(shape))
    return (255 * ((37 * count) % 101) / 101).reshape(shape).astype(np.float32)


def numbers(array):
    return [float(f"{x:.7g}") for x in np.asarray(array, np.float32).ravel()]


def case(class_name, boxes=False, masks=False, **config):
    shape = SHAPE
    if config.get("data_format") == "channels_first":
        shape = (SHAPE[0], SHAPE[3], *SHAPE[1:3])
    if boxes:
        config.setdefault("bounding_box_format", "xyxy")
    layer = getattr(layers, class_name)(**config)
    entry = {"class_name": class_name, "config": config, "shape": shape}
    x = images(shape)
    data = {"images": x}
    if boxes:
        data["bounding_boxes"] = {
            "boxes": np.array(BOXES, np.float32),
            "labels": np.array([[1, 2]] * 3, np.float32),
        }
    if masks:
        data["segmentation_masks"] = x
    y = layer(data, training=True)
    entry["output"] = numbers(y["images"])
    if boxes:
        entry["boxes"] = numbers(y["bounding_boxes"]["boxes"])
        entry["labels"] = numbers(y["bounding_boxes"]["labels"])
    if masks:
        entry["masks"] = numbers(y["segmentation_masks"])
    CASES.append(entry)


def main():
    for fill_mode in ("reflect", "wrap", "constant", "nearest"):
        case("RandomRotation", factor=0.3, seed=1, fill_mode=fill_mode, fill_value=7.0)
        case("RandomTranslation", height_factor=0.4, width_factor=[-0.3, 0.1], seed=2,
             fill_mode=fill_mode)
        case("RandomZoom", height_factor=0.5, seed=3, fill_mode=fill_mode)
        case("RandomShear", x_factor=0.4, y_factor=0.2, seed=4, fill_mode=fill_mode)
    case("RandomRotation", factor=[-0.1, 0.4], seed=5, interpolation="nearest")
    case("RandomRotation", factor=0.2, seed=6, data_format="channels_first")
    case("RandomZoom", height_factor=[-0.4, 0.2], width_factor=0.3, seed=7)
    for class_name, config in [
        ("RandomRotation", {"factor": 0.1}),
        ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.4}),
        ("RandomZoom", {"height_factor": 0.4, "width_factor": 0.2}),
        ("RandomShear", {"x_factor": 0.3, "y_factor": 0.3}),
    ]:
        case(class_name, boxes=True, seed=8, **config)
    case("RandomPerspective", factor=0.9, scale=0.4, seed=9, fill_value=3.0)
    case("RandomPerspective", scale=0.3, seed=10, interpolation="nearest",
         data_format="channels_first")
    case("RandomElasticTransform", scale=1.0, seed=11)
    case("RandomElasticTransform", factor=0.7, scale=[0.5, 1.0], seed=12, fill_mode="constant",
         interpolation="nearest")
    case("RandomColorJitter", brightness_factor=0.4, contrast_factor=0.3, saturation_factor=0.5,
         hue_factor=0.2, seed=13)
    case("RandomColorJitter", contrast_factor=0.6, seed=14)
    for seed in (15, 18):
        case("RandAugment", num_ops=2, factor=0.4, seed=seed)
    for seed in (19, 20, 21):
        case("RandAugment", boxes=True, masks=True, num_ops=4, factor=0.3, seed=seed)
    for box_format in ("xyxy", "rel_yxyx", "center_xywh"):
        case("RandomPerspective", boxes=True, masks=True, factor=0.8, scale=0.5, seed=22,
             bounding_box_format=box_format)
    case("RandomElasticTransform", masks=True, factor=0.8, seed=23)
    for mode in ("horizontal", "vertical", "horizontal_and_vertical"):
        case("RandomFlip", boxes=True, masks=True, mode=mode, seed=24)
    case("RandomFlip", seed=25, data_format="channels_first")
    path = pathlib.Path(__file__).parent.parent / "models" / "augmentation.json"
    rows = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in CASES)
    path.write_text(f"[\n{rows}\n]\n")
    print(f"{len(CASES)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
