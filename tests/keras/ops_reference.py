"""What every operation of the graph should give, by JAX in double precision.

Writes tests/models/ops.json: a list of cases, each with an operation, its attributes, inputs, the
expected output and the expected gradients of sum(weight * output), where weight i of the output is
(7 i mod 11) / 4 - 1.2. tests/ops.rs reads it; a new case is one line here.

    python tests/keras/ops_reference.py
"""

import json
import os
import pathlib

os.environ["JAX_ENABLE_X64"] = "1"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

CASES = []
RNG = np.random.default_rng(20)
NARROW = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def noise(*shape, low=-2.0, high=2.0):
    """Float32 numbers, no two of them closer than a finite difference reaches."""
    count = int(np.prod(shape))
    even = low + (high - low) * (np.arange(count) + RNG.uniform(0.3, 0.7, count)) / max(count, 1)
    return RNG.permutation(even).round(3).astype(np.float32).reshape(shape)


def dtype_name(array):
    return str(array.dtype)


def spread(x):
    """As double precision where it is a float, so that the reference does not round."""
    return jnp.asarray(np.asarray(x, np.float64)) if is_float(x) else jnp.asarray(x)


def is_float(x):
    return dtype_name(x) in ("float32", "float16", "bfloat16")


def numbers(array):
    def text(x):
        if isinstance(x, (bool, np.bool_)):
            return int(x)
        if isinstance(x, (int, np.integer)):
            return int(x)
        x = float(x)
        if np.isnan(x) or np.isinf(x):
            return str(x)
        return float(f"{x:.9g}" if array.dtype == np.float64 else str(np.float32(x)))

    array = np.asarray(array)
    return [text(x) for x in array.ravel()]


def described(array):
    return {"dtype": dtype_name(array), "shape": list(array.shape), "values": numbers(array)}


def weights(shape):
    return ((7 * np.arange(int(np.prod(shape)))) % 11 / 4 - 1.2).reshape(shape)


def case(name, f, *inputs, tolerance="rounding", grads=None, differences=True, out=None, **attributes):
    """`grads`: inputs to differentiate (default: all floats), or a list of their gradients."""
    op = name.split("/")[0]
    inputs = [np.asarray(x) for x in inputs]
    wide = [spread(x) for x in inputs]
    y = np.asarray(f(*wide))
    floats = [x for x in inputs if is_float(x)]
    if y.dtype == np.float64:
        narrow = out or (dtype_name(floats[0]) if floats else "float32")
        y = y.astype(NARROW.get(narrow, np.float32 if narrow == "float32" else narrow))
    expected = {}
    if is_float(y):
        if grads is None:
            grads = [i for i, x in enumerate(inputs) if is_float(x)]
        if grads and isinstance(grads[0], int):
            loss = lambda *x: jnp.sum(jnp.asarray(weights(y.shape)) * f(*x))  # noqa: E731
            found = jax.grad(loss, argnums=tuple(grads))(*wide)
            expected = {str(i): numbers(np.asarray(g)) for i, g in zip(grads, found)}
        else:
            expected = {str(i): numbers(np.asarray(g)) for i, g in enumerate(grads)}
    CASES.append({
        "name": name,
        "op": op,
        "attributes": attributes,
        "tolerance": tolerance,
        "inputs": [described(x) for x in inputs],
        "output": described(y),
        "gradients": expected,
        "differences": bool(differences and expected),
    })


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 2.5, -2.5], np.float32)


def unary():
    plain, inner = noise(7), noise(7, low=-0.9, high=0.9)
    positive, above = noise(7, low=0.1, high=4.0), noise(7, low=1.2, high=5.0)
    steps = np.array([-2.6, -1.5, -0.5, 0.4, 0.5, 1.5, 2.5, 3.7], np.float32)
    table = {
        "neg": (jnp.negative, plain), "abs": (jnp.abs, np.where(np.abs(plain) < 0.1, 0.3, plain).astype(np.float32)), "sign": (jnp.sign, plain),
        "floor": (jnp.floor, steps), "ceil": (jnp.ceil, steps), "round": (jnp.round, steps),
        "trunc": (jnp.trunc, steps), "sqrt": (jnp.sqrt, positive),
        "cbrt": (jnp.cbrt, -above), "rsqrt": (lambda x: 1 / jnp.sqrt(x), positive), "recip": (lambda x: 1 / x, positive),
        "exp": (jnp.exp, plain), "expm1": (jnp.expm1, plain), "log": (jnp.log, positive),
        "log1p": (jnp.log1p, inner), "sin": (jnp.sin, plain), "cos": (jnp.cos, plain),
        "tan": (jnp.tan, inner), "asin": (jnp.arcsin, inner), "acos": (jnp.arccos, inner),
        "atan": (jnp.arctan, plain), "sinh": (jnp.sinh, plain), "cosh": (jnp.cosh, plain),
        "tanh": (jnp.tanh, plain), "asinh": (jnp.arcsinh, plain), "acosh": (jnp.arccosh, above),
        "atanh": (jnp.arctanh, inner), "sigmoid": (jax.nn.sigmoid, plain),
        "erf": (jax.scipy.special.erf, plain), "erfc": (jax.scipy.special.erfc, plain),
        "erfinv": (jax.scipy.special.erfinv, inner), "i0": (jax.scipy.special.i0, plain),
        "i1": (jax.scipy.special.i1, plain),
    }
    stepwise = ("sign", "floor", "ceil", "round", "trunc")
    for name, (f, x) in table.items():
        exact = name in stepwise + ("neg", "abs")
        case(f"unary/{name}", f, x, differences=name not in stepwise, function=name,
             tolerance="exact" if exact else "rounding")
        case(f"unary/{name}/special", f, SPECIAL, grads=[], function=name,
             tolerance="exact" if exact else "rounding")
    for name, f in [("isnan", jnp.isnan), ("isinf", jnp.isinf), ("isfinite", jnp.isfinite)]:
        case(f"unary/{name}", f, SPECIAL, function=name, tolerance="exact")
    case("unary/not", jnp.logical_not, np.array([True, False]), function="not", tolerance="exact")
    whole = np.array([0, 1, -1, 7, -7, 2**31 - 1, -2**31], np.int32)
    for name, f in [("neg", jnp.negative), ("abs", jnp.abs), ("sign", jnp.sign)]:
        case(f"unary/{name}/int32", f, whole, function=name, tolerance="exact")
    case("unary/neg/uint8", jnp.negative, np.array([0, 1, 255], np.uint8), function="neg", tolerance="exact")
    case("unary/exp/float16", jnp.exp, plain.astype(np.float16), function="exp", differences=False,
         tolerance="approximate")
    case("unary/exp/bfloat16", jnp.exp, plain.astype(ml_dtypes.bfloat16), function="exp",
         differences=False, tolerance="approximate")


def binary():
    a, b = noise(2, 3), noise(2, 3)
    b = np.where(np.abs(b) < 0.4, b + 0.8, b).astype(np.float32)
    positive = noise(2, 3, low=0.3, high=3.0)
    floats = {
        "add": jnp.add, "sub": jnp.subtract, "mul": jnp.multiply, "div": jnp.divide,
        "max": jnp.maximum, "min": jnp.minimum, "atan2": jnp.arctan2, "mod": jnp.mod,
    }
    for name, f in floats.items():
        smooth = name != "mod"  # the others' arguments are far enough from where they jump
        case(f"binary/{name}", f, a, b, function=name)
        case(f"binary/{name}/broadcast", f, a, b[1:, :], differences=smooth, function=name)
        case(f"binary/{name}/outer", f, a[:, :1], b[0], differences=smooth, function=name)
        case(f"binary/{name}/scalar", f, np.float32(1.25), b, differences=smooth, function=name)
        case(f"binary/{name}/special", f, SPECIAL[:, None], SPECIAL, grads=[], function=name)
    case("binary/pow", jnp.power, positive, b, function="pow")
    case("binary/pow/whole", jnp.power, a, np.array([2, 3, 1], np.float32), grads=[0], function="pow")
    case("binary/pow/special", np.power, SPECIAL[:, None], SPECIAL, grads=[], function="pow")
    case("binary/pow/zero_power", jnp.power, noise(3), np.zeros(3, np.float32), grads=[0], function="pow")
    case("binary/floor_div", jnp.floor_divide, a, b, grads=[np.zeros(6), np.zeros(6)],
         differences=False, function="floor_div")
    case("binary/floor_div/special", np.floor_divide, SPECIAL[4:, None], SPECIAL[2:4], grads=[],
         function="floor_div")
    tie = np.array([1.0, 2.0, -1.0], np.float32)
    for name in ("max", "min"):
        case(f"binary/{name}/tie", floats[name], tie, np.array([1.0, 3.0, -2.0], np.float32),
             differences=False, function=name)
    whole = np.array([7, -7, 6, -6, 0, 2**31 - 1], np.int32)
    divisor = np.array([2, -2, 3, -4, 5, -1], np.int32)
    ints = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "floor_div": np.floor_divide,
        "mod": np.mod, "max": np.maximum, "min": np.minimum, "and": np.bitwise_and,
        "or": np.bitwise_or, "xor": np.bitwise_xor,
    }
    tests = {
        "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
        "gt": np.greater, "ge": np.greater_equal,
    }
    ints["gcd"] = np.gcd
    distance = np.array([0, 1, 5, 31, 32, -1], np.int32)
    for name, f in [("shl", jnp.left_shift), ("shr", jnp.right_shift)]:
        case(f"binary/{name}/int32", f, whole[:, None], distance, function=name, tolerance="exact")
    for name, f in [("shl", jnp.left_shift), ("shr", jnp.right_shift)]:
        case(f"binary/{name}/uint8", f, np.array([200, 3, 255, 17], np.uint8),
             np.array([1, 7, 0, 8], np.uint8), function=name, tolerance="exact")
    for name, f in (ints | tests).items():
        case(f"binary/{name}/int32", host(f), whole[:, None], divisor, function=name, tolerance="exact")
        small = [np.array(v, np.uint8) for v in ([200, 3, 255, 17], [100, 7, 2, 17])]
        case(f"binary/{name}/uint8", host(f), *small, function=name, tolerance="exact")
    case("binary/mul/int8", host(np.multiply), np.array([100, -100, 11], np.int8),
         np.array([3, 3, 11], np.int8), function="mul", tolerance="exact")
    case("binary/pow/int32", host(np.power), whole[:, None], np.array([0, 1, 2, 5], np.int32),
         function="pow", tolerance="exact")
    for name, f in tests.items():
        case(f"binary/{name}", host(f), SPECIAL[:, None], SPECIAL, function=name, tolerance="exact")
    truth = np.array([False, False, True, True]), np.array([False, True, False, True])
    for name, f in [("and", np.logical_and), ("or", np.logical_or), ("xor", np.logical_xor),
                    ("eq", np.equal)]:
        case(f"binary/{name}/bool", host(f), *truth, function=name, tolerance="exact")
    case("binary/add/float16", jnp.add, noise(5).astype(np.float16), noise(5).astype(np.float16),
         differences=False, function="add", tolerance="approximate")


def host(f):
    """NumPy's function, whose integers wrap without a warning."""
    def quiet(*x):
        with np.errstate(all="ignore"):
            return f(*[np.asarray(v) for v in x])
    return quiet


def shapes():
    x = noise(2, 3, 4)
    case("input", lambda x: x, x, tolerance="exact")
    case("read", lambda x: x + np.array([1.5, -2.0, 0.25]), noise(2, 3), tolerance="rounding",
         values=[1.5, -2.0, 0.25])
    case("constant", lambda: np.array([0.5, -1.0, 3.0], np.float32), values=[0.5, -1.0, 3.0],
         tolerance="exact")
    for axis in range(3):
        case(f"iota/{axis}", lambda: np.broadcast_to(np.arange([2, 3, 4][axis], dtype=np.int32)
             .reshape([-1 if i == axis else 1 for i in range(3)]), (2, 3, 4)),
             shape=[2, 3, 4], axis=axis, tolerance="exact")
    case("reshape", lambda x: x.reshape(4, 6), x, shape=[4, 6], tolerance="exact")
    case("reshape/scalar", lambda x: x.reshape(()), noise(1, 1), shape=[], tolerance="exact")
    for axes in ([2, 0, 1], [0, 2, 1], [2, 1, 0]):
        case(f"transpose/{axes}", lambda x: x.transpose(axes), x, axes=axes, tolerance="exact")
    for shape, to in [((3, 1), (2, 3, 4)), ((), (2, 2)), ((1, 4), (3, 4)), ((2, 1, 3), (2, 4, 3))]:
        case(f"broadcast/{list(shape)}", lambda x: jnp.broadcast_to(x, to), noise(*shape), shape=to,
             tolerance="exact")
    slices = [
        ([0, 1, 1], [2, 2, 2], [1, 1, 1]), ([0, 0, 0], [1, 2, 2], [1, 2, 3]),
        ([1, 2, 3], [2, 3, 4], [-1, -1, -1]), ([1, 2, 2], [1, 2, 2], [1, -2, -1]),
        ([0, 1, 0], [2, 0, 4], [1, 1, 1]), ([0, 0, 3], [2, 3, 2], [1, 1, -3]),
    ]
    for i, (start, size, step) in enumerate(slices):
        case(f"slice/{i}", lambda x: sliced(x, start, size, step), x, start=start, size=size,
             step=step, tolerance="exact")
    pads = [
        ([0, 1, 2], [1, 0, 0], [0, 0, 0], 0.0), ([1, 0, 0], [0, 2, 1], [2, 1, 0], 0.0),
        ([0, 0, 1], [0, 0, 1], [0, 3, 1], -1.5),
    ]
    for i, (low, high, interior, value) in enumerate(pads):
        case(f"pad/{i}", lambda x: lax.pad(x, jnp.float64(value), list(zip(low, high, interior))), x,
             low=low, high=high, interior=interior, value=value, tolerance="exact")
    case("pad/int32", lambda x: lax.pad(x, np.int32(-3), [(1, 2, 1)]), np.arange(3, dtype=np.int32),
         low=[1], high=[2], interior=[1], value=-3, tolerance="exact")
    for axis in range(3):
        parts = [x, noise(*[2 if i == axis else n for i, n in enumerate(x.shape)]),
                 noise(*[0 if i == axis else n for i, n in enumerate(x.shape)])]
        case(f"concat/{axis}", lambda *x: jnp.concatenate(x, axis), *parts, axis=axis, tolerance="exact")
    case("concat/uint8", lambda *x: jnp.concatenate(x, 0), np.array([1, 2], np.uint8),
         np.array([255], np.uint8), axis=0, tolerance="exact")
    case("concat/twice", lambda x: jnp.concatenate([x, x], 1), noise(2, 2), axis=1, tolerance="exact",
         repeat=2)
    condition = np.array([[True, False, True], [False, False, True]])
    case("select", jnp.where, condition, noise(2, 3), noise(2, 3), tolerance="exact")
    case("select/broadcast", jnp.where, condition, noise(2, 1), noise(3), tolerance="exact")
    case("select/int32", jnp.where, condition, np.int32(3), np.arange(3, dtype=np.int32), tolerance="exact")
    case("stop_gradient", lax.stop_gradient, noise(4), differences=False, tolerance="exact")
    rows = noise(4, 3)
    picks = np.array([[3, 0, 0], [1, 9, -5]], np.int32)
    for axis, data in [(0, rows), (1, noise(2, 4, 3)), (2, noise(2, 2, 5))]:
        case(f"gather/{axis}", lambda x, i: jnp.take(x, i, axis, mode="clip"), data, picks, axis=axis,
             tolerance="exact")
    case("gather/uint8", lambda x, i: jnp.take(x, i, 0, mode="clip"), rows, np.array([2, 200], np.uint8),
         axis=0, tolerance="exact")
    case("gather/one_index", lambda x, i: jnp.take(x, i, 0), rows, np.int32(2), axis=0, tolerance="exact")


def sliced(x, start, size, step):
    for axis, (a, n, s) in enumerate(zip(start, size, step)):
        x = jnp.take(x, a + s * np.arange(n), axis)
    return x


def casts():
    x = np.array([0.0, -0.6, 0.6, 2.5, -2.5, 100.3, np.nan, np.inf, -np.inf, 3e9, -3e9], np.float32)
    to_int = lambda low, high: lambda x: np.where(np.isnan(x), 0, np.clip(np.trunc(x), low, high))  # noqa: E731
    case("cast/int32", lambda x: to_int(-2**31, 2**31 - 1)(x).astype(np.int32), x, dtype="int32",
         tolerance="exact")
    case("cast/uint32", lambda x: to_int(0, 2**32 - 1)(x).astype(np.uint32), x, dtype="uint32",
         tolerance="exact")
    case("cast/bool", lambda x: np.asarray(x) != 0, x, dtype="bool", tolerance="exact")
    small = noise(6)
    for name, narrow in NARROW.items():
        rounded = weights(6).astype(narrow).astype(np.float64)
        case(f"cast/{name}", lambda x: np.asarray(x), small, out=name, dtype=name, grads=[rounded],
             differences=False, tolerance="exact")
        case(f"cast/from_{name}", lambda x: np.asarray(x), small.astype(narrow), out="float32",
             dtype="float32", grads=[rounded], differences=False, tolerance="exact")
    whole = np.array([0, 1, -1, 127, 128, -129, 255, 256, 70000, 2**31 - 1, -2**31], np.int32)
    for name in ("int8", "uint8", "int16", "uint16", "uint32", "bool"):
        case(f"cast/int32_to_{name}", lambda x: np.asarray(x).astype(name), whole, dtype=name,
             tolerance="exact")
    case("cast/int32_to_float32", lambda x: np.asarray(x).astype(np.float32), whole, dtype="float32",
         tolerance="exact")
    case("cast/uint32_to_float32", lambda x: np.asarray(x).astype(np.float32),
         np.array([0, 1, 2**32 - 1], np.uint32), dtype="float32", tolerance="exact")
    case("cast/bool_to_float32", lambda x: np.asarray(x).astype(np.float32), np.array([True, False]),
         dtype="float32", tolerance="exact")


def reductions():
    x = noise(2, 3, 4)
    table = {"sum": jnp.sum, "prod": jnp.prod, "max": jnp.max, "min": jnp.min}
    for name, f in table.items():
        for axes in ([0], [1], [2], [0, 2], [0, 1, 2]):
            case(f"reduce/{name}/{axes}", lambda x: f(x, axis=tuple(axes)), x, kind=name, axes=axes,
                 tolerance="approximate")
        wrapped = {"dtype": np.int32} if name in ("sum", "prod") else {}
        case(f"reduce/{name}/int32", host(lambda x: getattr(np, name)(x, 1, **wrapped)),
             np.array([[1, -2, 3], [4, 5, 2**31 - 1]], np.int32), kind=name, axes=[1], tolerance="exact")
    for name in ("max", "min"):
        case(f"reduce/{name}/special", lambda x: table[name](x, 1), np.stack([SPECIAL, SPECIAL[::-1]]),
             kind=name, axes=[1], grads=[], tolerance="exact")
        case(f"reduce/{name}/tie", lambda x: table[name](x, 1), np.array([[1, 3, 3, 1], [2, 2, 2, 2]], np.float32),
             kind=name, axes=[1], differences=False)
        case(f"reduce/{name}/uint8", lambda x: table[name](x, 1), np.array([[1, 200, 3]], np.uint8),
             kind=name, axes=[1], tolerance="exact")
    truth = np.array([[True, False], [False, False], [True, True]])
    case("reduce/max/bool", lambda x: jnp.any(x, 1), truth, kind="max", axes=[1], tolerance="exact")
    case("reduce/min/bool", lambda x: jnp.all(x, 1), truth, kind="min", axes=[1], tolerance="exact")
    case("reduce/sum/empty", lambda x: jnp.sum(x, 1), np.zeros((2, 0), np.float32), kind="sum", axes=[1])
    case("reduce/prod/empty", lambda x: jnp.prod(x, 1), np.zeros((2, 0), np.float32), kind="prod", axes=[1])
    zeros = np.array([[0, 2, 3], [0, 0, 5], [1, 2, 4]], np.float32)
    case("reduce/prod/zeros", lambda x: jnp.prod(x, 1), zeros, kind="prod", axes=[1])
    case("mean", lambda x: jnp.mean(x, (0, 2)), x, axes=[0, 2])
    case("softmax", lambda x: jax.nn.softmax(x, 1), x, axes=[1], tolerance="approximate")
    case("softmax/two_axes", lambda x: jax.nn.softmax(x, (1, 2)), x, axes=[1, 2], tolerance="approximate")
    case("log_softmax", lambda x: jax.nn.log_softmax(x, 2), x, axes=[2], tolerance="approximate")
    for name, f in [("argmax", np.argmax), ("argmin", np.argmin)]:
        for axis in range(3):
            case(f"{name}/{axis}", lambda x: np.asarray(f(x, axis), np.int32), x, axis=axis, tolerance="exact")
        odd = np.array([[1, 3, 3, 1], [np.nan, 5, np.nan, 7], [-np.inf, np.inf, 0, 1]], np.float32)
        case(f"{name}/special", lambda x: np.asarray(f(x, 1), np.int32), odd, axis=1, tolerance="exact")
        case(f"{name}/int32", lambda x: np.asarray(f(x, 0), np.int32), np.array([4, -9, 8, 8], np.int32),
             axis=0, tolerance="exact")


def contractions():
    m, n, k = 2, 3, 4
    for batches in [(1, 1), (2, 2), (1, 2), (2, 1)]:
        for ta in (False, True):
            for tb in (False, True):
                a = noise(batches[0], *((k, m) if ta else (m, k)))
                b = noise(batches[1], *((n, k) if tb else (k, n)))
                turn = lambda x, t: jnp.swapaxes(x, 1, 2) if t else x  # noqa: E731
                case(f"matmul/{batches[0]}x{batches[1]}{'_ta' * ta}{'_tb' * tb}",
                     lambda a, b: turn(a, ta) @ turn(b, tb), a, b, transpose_a=ta, transpose_b=tb,
                     tolerance="approximate")
    case("matmul/no_inner", lambda a, b: a @ b, noise(1, 2, 0), noise(1, 0, 3), transpose_a=False,
         transpose_b=False)
    case("dot", lambda a, b: a @ b, noise(2, 3, 4), noise(4, 5), tolerance="approximate")
    case("dot/vector", lambda a, b: a @ b, noise(4), noise(4, 3), tolerance="approximate")
    same = dict(batch=2, input=[1, 4, 5], in_channels=2, out_channels=3, kernel=[1, 3, 3],
                stride=[1, 1, 1], dilation=[1, 1, 1], pad=[0, 1, 1], output=[1, 4, 5], groups=1)
    geometries = {
        "same": same,
        "valid": same | dict(pad=[0, 0, 0], output=[1, 2, 3]),
        "stride": same | dict(stride=[1, 2, 3], output=[1, 2, 2]),
        "asymmetric": same | dict(stride=[1, 2, 2], pad=[0, 0, 1], output=[1, 2, 3]),
        "dilation": same | dict(dilation=[1, 2, 1], kernel=[1, 2, 2], pad=[0, 1, 0], output=[1, 4, 5]),
        "groups": same | dict(in_channels=4, out_channels=6, groups=2, input=[1, 3, 3], output=[1, 3, 3]),
        "depthwise": same | dict(in_channels=3, out_channels=6, groups=3, input=[1, 3, 3], output=[1, 3, 3]),
        "three_axes": same | dict(batch=1, input=[3, 4, 3], kernel=[2, 2, 3], stride=[1, 2, 1],
                                  dilation=[2, 1, 1], pad=[1, 0, 1], output=[3, 2, 3]),
        "pointwise": same | dict(kernel=[1, 1, 1], pad=[0, 0, 0]),
        "untouched_input": same | dict(kernel=[1, 1, 1], stride=[1, 3, 3], pad=[0, 0, 0], output=[1, 2, 2]),
    }
    for name, g in geometries.items():
        x = noise(g["batch"], *g["input"], g["in_channels"])
        w = noise(*g["kernel"], g["in_channels"] // g["groups"], g["out_channels"])
        y = noise(g["batch"], *g["output"], g["out_channels"])
        forward = lambda x, w: convolved(x, w, g)  # noqa: E731
        case(f"conv/{name}", forward, x, w, tolerance="approximate", kind="forward", **g)
        case(f"conv/{name}/input_grad", lambda y, w: jax.vjp(forward, spread(x), w)[1](y)[0], y, w,
             tolerance="approximate", kind="input_grad", **g)
        case(f"conv/{name}/filter_grad", lambda x, y: jax.vjp(forward, x, spread(w))[1](y)[1], x, y,
             tolerance="approximate", kind="filter_grad", **g)


def edges(g, extent):
    """What is padded behind follows from the output's extent and may be negative."""
    high = [(o - 1) * s + (k - 1) * d + 1 - i - p for o, s, k, d, i, p in
            zip(g["output"], g["stride"], extent, g.get("dilation", [1] * 3), g["input"], g["pad"])]
    return list(zip(g["pad"], high))


def convolved(x, w, g):
    return lax.conv_general_dilated(x, w, g["stride"], edges(g, g["kernel"]), rhs_dilation=g["dilation"],
                                    dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
                                    feature_group_count=g["groups"])


def pools():
    plain = dict(batch=2, input=[1, 4, 4], channels=2, output=[1, 2, 2], window=[1, 2, 2],
                 stride=[1, 2, 2], pad=[0, 0, 0])
    geometries = {
        "plain": plain,
        "overlap": plain | dict(window=[1, 3, 3], stride=[1, 1, 1], pad=[0, 1, 1], output=[1, 4, 4]),
        "cut": plain | dict(input=[1, 5, 5]),
        "same": plain | dict(input=[1, 5, 4], window=[1, 3, 2], output=[1, 3, 2], pad=[0, 1, 0]),
        "three_axes": plain | dict(batch=1, input=[3, 2, 4], window=[2, 2, 3], stride=[1, 2, 2], pad=[1, 0, 1],
                                   output=[3, 1, 2]),
    }
    for name, g in geometries.items():
        x = noise(g["batch"], *g["input"], g["channels"])
        y = noise(g["batch"], *g["output"], g["channels"])
        for mode in ("max", "average"):
            f = lambda x: pooled(x, mode, g)  # noqa: E731
            case(f"pool/{mode}/{name}", f, x, mode=mode, tolerance="approximate", **g)
            case(f"pool_grad/{mode}/{name}", lambda x, y: jax.vjp(f, x)[1](y)[0], x, y, mode=mode,
                 grads=[] if mode == "max" else None, tolerance="approximate", **g)


def pooled(x, mode, g):
    window, stride = (1, *g["window"], 1), (1, *g["stride"], 1)
    padding = [(0, 0), *edges(g, g["window"]), (0, 0)]
    # A window that ends before the input does leaves elements out.
    cut = tuple(slice(0, n + min(h, 0)) for n, (_, h) in zip(x.shape, padding))
    x, padding = x[cut], [(low, max(high, 0)) for low, high in padding]
    if mode == "max":
        return lax.reduce_window(x, -jnp.inf, lax.max, window, stride, padding)
    total = lax.reduce_window(x, 0.0, lax.add, window, stride, padding)
    return total / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, window, stride, padding)


def bits():
    floats = np.array([0.0, -0.0, 1.0, -2.5, 65504.0, 6e-8, -3e-5, np.inf, -np.inf], np.float32)
    patterns = np.array([0, 1, 0x3FF, 0x400, 0x3C00, 0x7BFF, 0x7C00, 0x8001, 0xFBFF, 0xFFFF], np.uint16)
    for dtype, to in [(np.float32, "int32"), (np.float32, "uint32"), (np.float16, "uint16"),
                      (np.float16, "int16"), (ml_dtypes.bfloat16, "uint16")]:
        x = floats.astype(dtype)
        case(f"bitcast/{dtype_name(x)}_to_{to}", lambda _: x.view(to), x, dtype=to, tolerance="exact")
    for name, narrow in NARROW.items():
        case(f"bitcast/uint16_to_{name}", lambda x: np.asarray(x).view(narrow).astype(np.float64), patterns,
             dtype=name, out=name, grads=[], tolerance="exact")
    case("bitcast/int8_to_uint8", lambda x: np.asarray(x).view(np.uint8), np.array([-1, 5], np.int8),
         dtype="uint8", tolerance="exact")


def orders():
    odd = np.array([[1, -0.0, np.nan, 0.0, -np.inf, 1, np.inf, -2]], np.float32)
    many = (np.arange(700) * 7919 % 263).astype(np.float32) / 8
    tables = {"special": (odd, 1), "many": (many, 0), "rows": (noise(3, 40, 2), 1),
              "int32": (np.array([5, -3, 2**31 - 1, -2**31, 5], np.int32), 0),
              "uint8": (np.array([[5, 255, 0, 5]], np.uint8), 1), "empty": (np.zeros((2, 0), np.float32), 1)}
    for name, (x, axis) in tables.items():
        for down in (False, True):
            f = lambda x: jnp.argsort(x, axis, descending=down).astype(jnp.int32)  # noqa: E731
            # The narrow dtype itself: positions do not round.
            case(f"argsort/{name}{'/down' * down}", lambda _: f(jnp.asarray(x)), x, axis=axis, descending=down,
                 tolerance="exact")
    keys, order = np.array([[9, 1, 5, 5, 0, 7]], np.uint32), np.array([[1, 0, 4, 2, 3, 5]], np.int32)
    case("sort_step", lambda k, o: np.array([[4, 1, 2, 0, 3, 5]], np.int32), keys, order, run=2, group=4,
         tolerance="exact")
    at = np.array([[[0, 2], [1, 1]], [[2, 0], [0, 2]]], np.int32)
    case("take_along", lambda x, i: jnp.take_along_axis(x, i, 1), noise(2, 3, 2), at, axis=1, tolerance="exact")
    numbers = np.array([2, 0, 2, 5, -1, 0, 2], np.int32)
    x = noise(7, 2)
    x[5] = x[1]  # a tie
    x[2, 0] = 0.0
    table = {"sum": jax.ops.segment_sum, "prod": jax.ops.segment_prod, "max": jax.ops.segment_max,
             "min": jax.ops.segment_min}
    for name, f in table.items():
        kind = {"kind": name, "segments": 4}
        case(f"segment/{name}", lambda x, n: f(x, n, 4), x, numbers, differences=False,
             grads=segment_gradient(name, x, numbers), tolerance="approximate", **kind)
        case(f"segment/{name}/int8", lambda x, n: f(x, n, 4), np.arange(-3, 4, dtype=np.int8), numbers,
             tolerance="exact", **kind)


def segment_gradient(kind, x, numbers):
    """The gradient of a segment reduction, by that of a reduction of each segment's rows."""
    found, w = np.zeros_like(x, np.float64), weights((4, x.shape[1]))
    f = {"sum": jnp.sum, "prod": jnp.prod, "max": jnp.max, "min": jnp.min}[kind]
    for s in range(4):
        rows = np.flatnonzero(numbers == s)
        if len(rows):
            found[rows] = jax.grad(lambda v: jnp.sum(f(v, axis=0) * w[s]))(spread(x[rows]))
    return [found]


def random():
    key = np.array([7, 123456789], np.uint32)
    wrap = lambda k: jax.random.wrap_key_data(jnp.asarray(k), impl="threefry2x32")  # noqa: E731
    bits = lambda k: jax.random.bits(wrap(k), (3, 5), np.uint32)  # noqa: E731
    for width, count in [(32, 32), (32, 23), (16, 10), (8, 7)]:
        f = lambda k: (bits(k) & np.uint32(2**width - 1)) >> np.uint32(width - count)  # noqa: E731
        case(f"random_bits/{width}_{count}", f, key, tolerance="exact", shape=[3, 5], take="mixed",
             width=width, bits=count)
    for word, take in enumerate(["first", "second"]):
        f = lambda k: jax.random.key_data(jax.random.split(wrap(k), 4))[:, word]  # noqa: E731
        case(f"random_bits/{take}", f, key, tolerance="exact", shape=[4], take=take)


def linear():
    def diagonal(*shape):
        """Matrices with large elements on the diagonal, in float32."""
        a = noise(*shape)
        a[..., range(min(shape[-2:])), range(min(shape[-2:]))] += 4
        return a

    t = lambda x: jnp.swapaxes(x, -1, -2)  # noqa: E731
    symmetric = lambda x: (x + t(x)) / 2  # noqa: E731
    vague = {"tolerance": "factored"}
    exact = diagonal(2, 4, 4)
    even = np.round((exact + exact.swapaxes(-1, -2)) * 8) / 16
    even = even.astype(np.float32)
    case("cholesky", lambda x: jnp.linalg.cholesky(symmetric(x)), even, differences=False, **vague)
    case("cholesky/indefinite", lambda x: jnp.full_like(x, jnp.nan), -even, grads=[], **vague)
    for name, f in [("values", lambda x: jnp.linalg.eigh(x)[0]), ("vectors", lambda x: jnp.linalg.eigh(x)[1])]:
        case(f"eigh_{name}", f, even, differences=False, **vague)
        case(f"eigh_{name}/nan", lambda x, f=f: f(x) * jnp.nan, even[:1] * np.nan, grads=[], **vague)
    case("eigh_values/one", lambda x: x[:, 0], np.array([[[-3.0]]], np.float32), **vague)
    for m, n in [(4, 4), (5, 3), (3, 5), (1, 1)]:
        a = diagonal(2, m, n)
        lu = jax.lax.linalg.lu
        case(f"lu/{m}x{n}", lambda x: lu(x)[0], a, **vague)
        case(f"lu_pivots/{m}x{n}", lambda x: lu(x)[1], a[:, ::-1].copy(), grads=[], tolerance="exact")
        for complete in [False, True]:
            mode = "complete" if complete else "reduced"
            q = lambda x: jnp.linalg.qr(x, mode=mode)[0]  # noqa: E731, B023
            r = lambda x: jnp.linalg.qr(x, mode=mode)[1]  # noqa: E731, B023
            # JAX has the gradients of tall matrices only.
            grads = None if m >= n and not (complete and m > n) else []
            case(f"qr_q/{mode}/{m}x{n}", q, a, complete=complete, grads=grads, **vague)
            case(f"qr_r/{mode}/{m}x{n}", r, a, complete=complete, grads=grads, **vague)
        # Near singular values make the gradients of these too sensitive for float32. Differences of
        # values rounded to float32 are too coarse for all of them.
        grads = [] if (m, n) == (4, 4) else None
        case(f"singular_values/{m}x{n}", lambda x: jnp.linalg.svd(x, compute_uv=False), a,
             grads=grads, differences=False, **vague)

        def product(x):
            u, s, v = jnp.linalg.svd(x, full_matrices=False)
            return u * u * s[:, None, :] @ (v * v)

        case(f"svd_product/{m}x{n}", product, a, grads=grads, differences=False, **vague)
    case("svd_product/tall", product, noise(1, 7, 2), differences=False, **vague)
    case("singular_values/rank_one", lambda x: jnp.linalg.svd(x, compute_uv=False),
         np.ones((1, 3, 2), np.float32), grads=[], **vague)
    a, b = diagonal(2, 4, 4), noise(2, 4, 3)
    for bits in range(8):
        flags = {"lower": bool(bits & 1), "transpose": bool(bits & 2), "unit": bool(bits & 4)}

        def solve(a, b, lower, transpose, unit):
            return jax.lax.linalg.triangular_solve(
                a, b, left_side=True, lower=lower, transpose_a=transpose, unit_diagonal=unit)

        name = "".join(key[0] for key, flag in flags.items() if flag)
        case(f"triangular_solve/{name}", lambda a, b: solve(a, b, **flags), a, b, **flags, **vague)  # noqa: B023


def loops():
    """A recurrence, one result of it at a time: the outputs of all steps, or the last carry."""
    x, start = noise(3, 2, 3, low=-1, high=1), noise(2, 4, low=-1, high=1)
    kernel, shift = noise(4, 3, low=-0.5, high=0.5), noise(3, 4, low=-0.5, high=0.5)

    def run(x, start, kernel, shift, backwards):
        def step(h, x):
            inner = jnp.tanh(x + h @ kernel)
            h = inner @ shift + 0.5 * h
            return h, inner * inner

        return lax.scan(step, start, x[::-1] if backwards else x)

    for result, name in [(1, "outputs"), (0, "carry")]:
        for backwards in [False, True]:
            f = lambda *inputs: run(*inputs, backwards)[result]  # noqa: E731
            case(f"loop/{name}/{backwards}", f, x, start, kernel, shift, tolerance="approximate",
                 result=name, backwards=backwards)


def main():
    for write in (unary, binary, shapes, casts, reductions, contractions, pools, random, bits, orders, linear,
                  loops):
        write()
    path = pathlib.Path(__file__).parent.parent / "models" / "ops.json"
    rows = ",\n".join(json.dumps(c, separators=(",", ":")) for c in CASES)
    path.write_text(f"[\n{rows}\n]\n")
    print(f"{len(CASES)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
