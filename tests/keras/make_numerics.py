"""Records what functions give, for the chapter on numerics: make_numerics.py OUTDIR

Three models of one function for each output: `unary`, `binary` (element by element, every function of
`keras.ops` that is one) and `composites`. Beside each, `NAME.npz` holds the inputs `x0`, `x1`, ...,
`names`, and for every output the result in double precision `r0`, ... and Keras's in float32 `y0`, ....
`unary_special.npz` and `binary_special.npz` hold what Keras gives in float32 for zeros, infinities,
NaN, and the smallest and largest numbers.
"""

import contextlib
import os
import sys
import unittest.mock

os.environ["JAX_ENABLE_X64"] = "1"

import common
import keras
import numpy as np
from keras import Input, Model, layers, ops
from keras.src.backend.common import dtypes

# Not functions of an element: shapes, dtypes, randomness, control; or of whole rows.
NOT_ELEMENTWISE = {
    "shape", "size", "ndim", "convert_to_numpy", "convert_to_tensor", "custom_gradient", "copy",
    "stop_gradient", "cond", "saturate_cast", "view", "map", "vectorized_map", "scan", "switch", "unravel_index", "is_tensor", "dtype", "array",
    "empty_like", "full_like", "ones_like", "zeros_like", "rearrange", "conj", "conjugate", "real",
    "imag", "angle", "identity", "cast", "sort", "argsort", "cumsum", "cumprod", "nan_to_num", "fft",
    "flip", "flipud", "isreal", "log_softmax", "softmax", "sparsemax", "normalize", "ravel",
    "rms_normalization", "squeeze", "transpose", "isin", "nextafter", "percentile", "quantile",
    "nanpercentile", "nanquantile", "isclose",
}  # fmt: skip
UNIT = {"arccos", "arcsin", "arctanh", "erfinv"}
SPECIAL = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45, 1e-40,
    1.1754944e-38, 1e-30, -1e-30, 1e30, -1e30, 3.4028235e38, -3.4028235e38, 88.8, -104.0, 1e10, -1e10,
]  # fmt: skip
PAIRS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, np.nan, np.inf, -np.inf, 1e-40, 1e30, -3.4028235e38]


def sweep(low, high, count):
    """Half of the points evenly spaced, half evenly in their exponents, on both sides of zero."""
    linear = np.linspace(low, high, count // 2)
    steps = np.geomspace(1e-20, high, count // 4)
    return np.concatenate([linear, steps, -steps * (-low / high)]).astype("float32")


def elementwise(arity):
    """The functions of `keras.ops` that work element by element on so many floats, by name."""
    found, seen = {}, set()
    rng = common.generator("elementwise")
    arguments = [rng.uniform(0.1, 0.9, 6).astype("float32") for _ in range(arity)]
    for name in sorted(dir(ops)):
        function = getattr(ops, name)
        if name.startswith("_") or name in NOT_ELEMENTWISE or not callable(function):
            continue
        try:
            inputs = [Input((), batch_size=6) for _ in range(arity)]
            output = function(*inputs)
            whole = np.asarray(function(*arguments))
            turned = np.asarray(function(*[a[::-1] for a in arguments]))
            operation = output._keras_history.operation
            operation.get_config()
            kind = type(operation).__name__
        except Exception:  # takes something else
            continue
        fits = whole.shape == (6,) and np.array_equal(whole[::-1], turned, equal_nan=True)
        if fits and whole.dtype.kind in "fbi" and kind not in seen:
            seen.add(kind)
            found[name] = function
    return found


def composites():
    """Functions of rows: name, function of a (rows, 32) array."""
    epsilon = 1e-3
    return {
        "softmax": ops.softmax, "log_softmax": ops.log_softmax,
        "sparsemax": ops.sparsemax,
        "logsumexp": lambda x: ops.logsumexp(x, axis=-1),
        "sum": lambda x: ops.sum(x, axis=-1), "mean": lambda x: ops.mean(x, axis=-1),
        "var": lambda x: ops.var(x, axis=-1), "std": lambda x: ops.std(x, axis=-1),
        "prod": lambda x: ops.prod(x * 0.3, axis=-1),
        "norm_2": lambda x: ops.norm(x, axis=-1), "norm_1": lambda x: ops.norm(x, ord=1, axis=-1),
        "normalize": lambda x: ops.normalize(x, axis=-1), "cumsum": lambda x: ops.cumsum(x, axis=-1),
        "layer_normalization": lambda x: (x - ops.mean(x, -1, keepdims=True))
        * ops.rsqrt(ops.var(x, -1, keepdims=True) + epsilon),
        "rms_normalization": lambda x: x * ops.rsqrt(ops.mean(x * x, -1, keepdims=True) + epsilon),
        "matmul": lambda x: ops.matmul(x, ops.transpose(x)),
        "logcumsum": lambda x: ops.log1p(ops.cumsum(ops.exp(x), axis=-1)),
        "average": lambda x: ops.average(x, axis=-1, weights=ops.abs(x)),
    }  # fmt: skip


LAYERS = {
    "layer_normalization": lambda x: layers.LayerNormalization(epsilon=1e-3)(x),
    "rms_normalization": lambda x: layers.RMSNormalization(epsilon=1e-3)(x),
}


def outputs_of(functions, inputs):
    return [np.asarray(function(*inputs)) for function in functions.values()]


@contextlib.contextmanager
def double_precision():
    """Keras's own promotion of dtypes ends at float32."""
    usual = dtypes.result_type

    def widened(*kinds):
        result = usual(*kinds)
        return "float64" if result == "float32" else result

    with unittest.mock.patch.object(dtypes, "result_type", widened):
        yield


def record(directory, name, functions, inputs, model):
    arrays = common.numbered(inputs, "x") | {"names": np.array(list(functions))}
    narrow = outputs_of(functions, inputs)
    with double_precision():
        wide = outputs_of(functions, [x.astype("float64") for x in inputs])
    for i, (y, r) in enumerate(zip(narrow, wide)):
        floats = y.dtype.kind == "f"
        arrays[f"y{i}"], arrays[f"r{i}"] = y.astype("float32"), r.astype("f8" if floats else "f4")
    path = os.path.join(directory, name)
    with common.fixed_clock():
        model.save(f"{path}.keras")
    common.write_npz(f"{path}.npz", arrays)


def special(directory, name, functions, inputs):
    outputs = [y.astype("float32") for y in outputs_of(functions, inputs)]
    arrays = common.numbered(inputs, "x") | common.numbered(outputs, "y")
    common.write_npz(os.path.join(directory, f"{name}_special.npz"), arrays)


def main(directory):
    os.makedirs(directory, exist_ok=True)
    common.fresh("numerics")
    unary, binary = elementwise(1), elementwise(2)
    unary_x = [sweep(-60, 60, 384), sweep(-1, 1, 384)]

    def of(name, x, u):
        return u if name in UNIT else x

    unary = {n: (lambda x, u, n=n, f=f: f(of(n, x, u))) for n, f in unary.items()}
    x, u = Input((), name="x"), Input((), name="u")
    model = Model([x, u], [f(x, u) for f in unary.values()])
    record(directory, "unary", unary, unary_x, model)
    points = np.array(SPECIAL, "float32")
    special(directory, "unary", unary, [points, points])
    a, b = Input((), name="a"), Input((), name="b")
    model = Model([a, b], [f(a, b) for f in binary.values()])
    axis = np.array([-31.5, -7.0, -1.0, -0.3, -1e-3, 1e-4, 0.2, 1.0, 2.5, 3.0, 9.75, 44.0], "float32")
    binary_x = [grid.ravel() for grid in np.meshgrid(axis, axis)]
    record(directory, "binary", binary, binary_x, model)
    points = np.array(PAIRS, "float32")
    special(directory, "binary", binary, [grid.ravel() for grid in np.meshgrid(points, points)])
    x = Input((32,), batch_size=16, name="x")
    rows = common.generator("rows").normal(0.0, 3.0, (16, 32)).astype("float32")
    functions = composites()
    model = Model(x, [LAYERS.get(name, f)(x) for name, f in functions.items()])
    record(directory, "composites", functions, [rows], model)
    print(f"unary: {', '.join(unary)}")
    print(f"binary: {', '.join(binary)}")


if __name__ == "__main__":
    main(sys.argv[1])
