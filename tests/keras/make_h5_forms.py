"""A weights file in every form that HDF5 can give it.

    python make_h5_forms.py FOLDER

Writes NAME.weights.h5 for each form, and NAME.npz with what h5py reads from it, by path. Datasets of
several ranks stand in groups `vars`, as Keras lays them out.
"""

import os
import sys

import h5py
import numpy as np

RANDOM = np.random.default_rng(7)
VALUES = {
    "layers/dense/vars/0": RANDOM.normal(size=(37, 23)),
    "layers/dense/vars/1": RANDOM.normal(size=(23,)),
    "layers/conv/vars/0": RANDOM.normal(size=(3, 5, 7, 11)),
    "layers/many/vars/0": RANDOM.normal(size=(130, 41)),
    "optimizer/vars/0": np.asarray(7),
    "optimizer/vars/1": np.zeros((0, 4)),
}
EARLIEST, LATEST = "earliest", "latest"

# name: dtype, options of the datasets, version bound; "open" makes all axes unlimited
FORMS = {
    "contiguous": ("<f4", {}, EARLIEST),
    "contiguous_latest": ("<f4", {}, LATEST),
    "double": ("<f8", {}, EARLIEST),
    "half": ("<f2", {}, EARLIEST),
    "big_endian": (">f4", {}, EARLIEST),
    "big_endian_half_latest": (">f2", {}, LATEST),
    "integers": ("<i4", {}, EARLIEST),
    "big_endian_integers": (">u2", {"chunks": True}, LATEST),
    "compact": ("<f4", {"compact": True}, EARLIEST),
    "chunked": ("<f4", {"chunks": True}, EARLIEST),
    "chunked_latest": ("<f4", {"chunks": True}, LATEST),
    "gzip": ("<f4", {"compression": "gzip"}, EARLIEST),
    "shuffled": ("<f4", {"compression": "gzip", "shuffle": True}, EARLIEST),
    "fletcher32": ("<f4", {"fletcher32": True}, EARLIEST),
    "lzf": ("<f4", {"compression": "lzf"}, EARLIEST),
    "all_filters_latest": (
        ">f8",
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        LATEST,
    ),
    "one_axis_grows": ("<f4", {"grow": 1}, EARLIEST),
    "one_axis_grows_latest": ("<f4", {"grow": 1, "compression": "gzip"}, LATEST),
    "tree": ("<f4", {"grow": 9}, LATEST),
    "tree_of_halves": (">f2", {"grow": 9}, LATEST),
    "tree_gzip": ("<f4", {"grow": 9, "compression": "gzip"}, LATEST),
    "tree_all_filters": (
        "<f8",
        {"grow": 9, "compression": "gzip", "shuffle": True, "fletcher32": True},
        LATEST,
    ),
    "tree_deep": ("<f4", {"grow": 9, "tiny": True}, LATEST),
    "tree_deep_fletcher32": ("<i4", {"grow": 9, "tiny": True, "fletcher32": True}, LATEST),
    "tree_partly_written": ("<f4", {"grow": 9, "partly": True, "fillvalue": 2.5}, LATEST),
    "tree_behind_a_block": ("<f4", {"grow": 9, "userblock": 1024}, LATEST),
    "chunked_behind_a_block": ("<f4", {"chunks": True, "userblock": 512}, EARLIEST),
}


def create(file, path, value, dtype, options):
    options = dict(options)
    grow, tiny = options.pop("grow", 0), options.pop("tiny", False)
    partly, compact = options.pop("partly", False), options.pop("compact", False)
    value = (value * 1000 if np.dtype(dtype).kind in "iu" else value).astype(dtype)
    if value.ndim == 0 or (value.size == 0 and not grow):
        file.create_dataset(path, data=value)
        return
    if grow:
        options["maxshape"] = [None if i < grow else n for i, n in enumerate(value.shape)]
        chunk = [2 if tiny else max(1, min(n, 8)) for n in value.shape]
        options["chunks"] = tuple(chunk)
    if compact:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(value.shape)
        links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
        links.set_create_intermediate_group(True)
        kind = h5py.h5t.py_create(value.dtype)
        h5py.h5d.create(file.id, path.encode(), kind, space, properties, links).write(
            h5py.h5s.ALL, h5py.h5s.ALL, value
        )
        return
    if not partly:
        file.create_dataset(path, data=value, **options)
        return
    dataset = file.create_dataset(path, shape=value.shape, dtype=dtype, **options)
    if value.size > 1:
        dataset[1:5] = value[1:5]


def main(folder):
    for name, (dtype, options, libver) in FORMS.items():
        path = os.path.join(folder, f"{name}.weights.h5")
        options = dict(options)
        block = options.pop("userblock", 0)
        with h5py.File(path, "w", libver=(libver, "latest"), userblock_size=block) as file:
            for key, value in VALUES.items():
                small = value[:7, :9] if options.get("compact") and value.ndim == 2 else value
                create(file, key, small, dtype, options)
        with h5py.File(path, "r") as file:
            found = {key: file[key][()] for key in VALUES}
        native = {k: np.asarray(v).astype(v.dtype.newbyteorder("<")) for k, v in found.items()}
        np.savez(os.path.join(folder, f"{name}.npz"), **native)


if __name__ == "__main__":
    main(sys.argv[1])
