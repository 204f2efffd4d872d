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


def keras(backend, name, model, inputs):
    """`predict`, or a step of training, of the model that keraunos runs, too."""
    os.environ["KERAS_BACKEND"] = backend
    import keras

    model = keras.models.load_model(model)
    inputs = inputs if len(inputs) > 1 else inputs[0]
    batch = len(inputs[0]) if isinstance(inputs, list) else len(inputs)
    package = "tensorflow-cpu" if backend == "tensorflow" else backend
    title = f"Keras {keras.__version__} on {backend} {version(package)}"
    if workloads.trains(name):
        labels = workloads.labels(name, batch)
        return title, lambda: model.train_on_batch(inputs, labels)
    return title, lambda: model.predict(inputs, batch_size=batch, verbose=0)


def onnxruntime(model, inputs):
    import onnxruntime

    if not Path(model).with_suffix(".onnx").exists():
        raise SystemExit("Keras exports no ONNX file of it")
    session = onnxruntime.InferenceSession(
        Path(model).with_suffix(".onnx"), providers=["CPUExecutionProvider"]
    )
    names = [x.name for x in session.get_inputs()]
    feed = dict(zip(names, inputs, strict=True))
    return f"onnxruntime {onnxruntime.__version__}", lambda: session.run(None, feed)


def numpy(name, inputs):
    import numpy

    if not name.startswith("matmul"):
        raise SystemExit("numpy multiplies matrices only")
    return f"numpy {numpy.__version__}", lambda: numpy.matmul(*inputs)


def processor():
    """Seconds of the processor that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    peer, name, batch, seconds, model = sys.argv[1:]
    inputs = workloads.inputs(name, int(batch))
    if peer == "numpy":
        title, run = numpy(name, inputs)
    elif peer == "onnxruntime":
        title, run = onnxruntime(model, inputs)
    else:
        title, run = keras(peer.removeprefix("keras-"), name, model, inputs)
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
