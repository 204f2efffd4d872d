"""Times one workload in one peer: measure.py PEER WORKLOAD BATCH SECONDS MODEL

Prints one line of JSON: the peer's version, the seconds of each run and the processor's seconds of
all of them. One run before is not counted. PEER is numpy, onnxruntime, or keras-BACKEND.
"""

import json
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import workloads

RUNS = 5


def keras(backend, name, file, batch):
    """`predict`, a step of training, or a load or save, of the model that keraunos has, too."""
    os.environ["KERAS_BACKEND"] = backend
    import keras

    package = "tensorflow-cpu" if backend == "tensorflow" else backend
    title = f"Keras {keras.__version__} on {backend} {version(package)}"
    if name.startswith("load"):
        return title, lambda: keras.models.load_model(file)
    model = keras.models.load_model(file)
    if name.startswith("save"):
        return title, lambda: model.save(Path(file).with_name("copy.keras"))
    inputs = workloads.inputs(name, batch)
    inputs = inputs if len(inputs) > 1 else inputs[0]
    if workloads.trains(name):
        labels = workloads.labels(name, batch)
        return title, lambda: model.train_on_batch(inputs, labels)
    return title, lambda: model.predict(inputs, batch_size=batch, verbose=0)


def onnxruntime(model, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(
        Path(model).with_suffix(".onnx"), providers=["CPUExecutionProvider"]
    )
    names = [x.name for x in session.get_inputs()]
    # Its graphs have channels first.
    inputs = [x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x for x in inputs]
    feed = dict(zip(names, inputs, strict=True))
    return f"onnxruntime {onnxruntime.__version__}", lambda: session.run(None, feed)


def numpy(inputs):
    import numpy

    return f"numpy {numpy.__version__}", lambda: numpy.matmul(*inputs)


def processor():
    """Seconds of the processor that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    peer, name, batch, seconds, model = sys.argv[1:]
    if peer == "numpy":
        title, run = numpy(workloads.inputs(name, int(batch)))
    elif peer == "onnxruntime":
        title, run = onnxruntime(model, workloads.inputs(name, int(batch)))
    else:
        batch = None if batch == "None" else int(batch)
        title, run = keras(peer.removeprefix("keras-"), name, model, batch)
    run()
    times, used = [], processor()
    begin = time.perf_counter()
    while len(times) < RUNS or time.perf_counter() - begin < float(seconds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    used = processor() - used
    print(json.dumps({"version": title, "seconds": times, "cpu_s": used}))


if __name__ == "__main__":
    main()
