"""The workloads as ONNX graphs for onnxruntime, channels first as it wants them.

Written by `onnx.helper` rather than exported by Keras, whose exporter knows neither gelu nor ONNX's
recurrent operations and would have onnxruntime step through a loop. Weights are random.
"""

import math

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import workloads

OPSET = 20
FLOATS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "int32": TensorProto.INT32}


class Graph:
    """Nodes and weights of a graph in the making; values are their names."""

    def __init__(self):
        self.nodes, self.weights, self.inputs = [], [], []
        self.rng = np.random.default_rng(1)

    def input(self, *shape, dtype="float32"):
        name = f"input{len(self.inputs)}"
        shape = ["batch", *shape]
        self.inputs.append(helper.make_tensor_value_info(name, FLOATS[dtype], shape))
        return name

    def constant(self, array):
        name = f"weight{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, *shape):
        return self.constant(self.rng.normal(0, 0.05, shape).astype("float32"))

    def floats(self, *shape, value=0.0):
        return self.constant(np.full(shape, value, "float32"))

    def indices(self, *numbers):
        return self.constant(np.array(numbers, "int64"))

    def node(self, operation, *inputs, outputs=1, **attributes):
        names = [f"value{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operation, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def model(self, output, dtype="float32"):
        # The shape is inferred.
        result = helper.make_tensor_value_info(output, FLOATS[dtype], None)
        graph = helper.make_graph(self.nodes, "workload", self.inputs, [result], self.weights)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=9)


def build(name):
    """The graph of a workload, or None where it is no prediction."""
    graph = Graph()
    product = workloads.matrices(name)
    if product:
        n, dtype = product
        operands = [graph.input(n, n, dtype=dtype) for _ in range(2)]
        return graph.model(graph.node("MatMul", *operands), dtype)
    if name.startswith("conv_"):
        kernel, inner, outer, size, stride = map(int, name.split("_")[1:])
        x = graph.input(inner, size, size)
        return graph.model(convolution(graph, x, inner, outer, kernel, stride))
    form = {
        "mobilenet_v2": mobilenet_v2,
        "resnet50": resnet50,
        "encoder": encoder,
        "lstm": lstm,
        "gru": gru,
        "softmax": lambda graph: graph.node("Softmax", graph.input(*workloads.ROWS), axis=-1),
        "layernorm": lambda graph: layer_norm(graph, graph.input(*workloads.ROWS), workloads.ROWS[1], 1e-3),
    }.get(name)
    return form and graph.model(form(graph))


def convolution(graph, x, inner, outer, kernel, stride, groups=1):
    weight = graph.weight(outer, inner // groups, kernel, kernel)
    return graph.node(
        "Conv", x, weight, auto_pad="SAME_UPPER", strides=[stride, stride], group=groups
    )


def normal(graph, x, inner, outer, kernel, stride, groups=1):
    """A convolution and what normalises it."""
    x = convolution(graph, x, inner, outer, kernel, stride, groups)
    zeros, ones = graph.floats(outer), graph.floats(outer, value=1.0)
    return graph.node("BatchNormalization", x, ones, zeros, zeros, ones, epsilon=1e-3)


def classes(graph, x, channels):
    """Mean over the image, then classes."""
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    x = graph.node("Gemm", x, graph.weight(channels, 1000), graph.floats(1000))
    return graph.node("Softmax", x)


def resnet50(graph):
    relu = lambda x: graph.node("Relu", x)
    x = relu(normal(graph, graph.input(3, 224, 224), 3, 64, 7, 2))
    x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    inner = 64
    for filters, count, first in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for block in range(count):
            stride = 1 if block else first
            y = relu(normal(graph, x, inner, filters, 1, stride))
            y = relu(normal(graph, y, filters, filters, 3, 1))
            y = normal(graph, y, filters, 4 * filters, 1, 1)
            shortcut = x if block else normal(graph, x, inner, 4 * filters, 1, stride)
            x = relu(graph.node("Add", y, shortcut))
            inner = 4 * filters
    return classes(graph, x, inner)


def mobilenet_v2(graph):
    limits = [graph.constant(np.float32(limit)) for limit in (0, 6)]
    relu6 = lambda x: graph.node("Clip", x, *limits)
    x = relu6(normal(graph, graph.input(3, 224, 224), 3, 32, 3, 2))
    inner = 32
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    stages += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for factor, outer, count, first in stages:
        for block in range(count):
            stride, wide = 1 if block else first, inner * factor
            y = relu6(normal(graph, x, inner, wide, 1, 1)) if factor > 1 else x
            y = relu6(normal(graph, y, wide, wide, 3, stride, groups=wide))
            y = normal(graph, y, wide, outer, 1, 1)
            x = graph.node("Add", x, y) if stride == 1 and inner == outer else y
            inner = outer
    return classes(graph, relu6(normal(graph, x, inner, 1280, 1, 1)), 1280)


def recurrent(graph, operation, gates, **attributes):
    """The last state; ONNX has the steps first."""
    features, units = workloads.FEATURES, workloads.UNITS
    x = graph.node("Transpose", graph.input(workloads.STEPS, features), perm=[1, 0, 2])
    weights = [graph.weight(1, gates * units, n) for n in (features, units)]
    biases = graph.floats(1, 2 * gates * units)
    attributes["hidden_size"] = units
    _, state = graph.node(operation, x, *weights, biases, outputs=2, **attributes)
    return graph.node("Squeeze", state, graph.indices(0))


def lstm(graph):
    return recurrent(graph, "LSTM", 4)


def gru(graph):
    return recurrent(graph, "GRU", 3, linear_before_reset=1)


def layer_norm(graph, x, width, epsilon):
    weights = graph.floats(width, value=1.0), graph.floats(width)
    return graph.node("LayerNormalization", x, *weights, epsilon=epsilon)


def dense(graph, x, inner, outer):
    product = graph.node("MatMul", x, graph.weight(inner, outer))
    return graph.node("Add", product, graph.floats(outer))


def attention(graph, x):
    width, heads = workloads.WIDTH, workloads.HEADS
    shape = graph.indices(0, workloads.SEQUENCE, heads, width // heads)

    def split(perm):
        return graph.node(
            "Transpose", graph.node("Reshape", dense(graph, x, width, width), shape), perm=perm
        )

    queries, keys, values = split([0, 2, 1, 3]), split([0, 2, 3, 1]), split([0, 2, 1, 3])
    scale = graph.constant(np.float32(1 / math.sqrt(width // heads)))
    scores = graph.node("Mul", graph.node("MatMul", queries, keys), scale)
    context = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), values)
    context = graph.node("Transpose", context, perm=[0, 2, 1, 3])
    joined = graph.node("Reshape", context, graph.indices(0, workloads.SEQUENCE, width))
    return dense(graph, joined, width, width)


def encoder(graph):
    width = workloads.WIDTH
    tokens = graph.input(workloads.SEQUENCE, dtype="int32")
    x = graph.node("Gather", graph.weight(workloads.VOCABULARY, width), tokens)
    x = layer_norm(graph, x, width, 1e-12)
    for _ in range(workloads.LAYERS):
        x = layer_norm(graph, graph.node("Add", x, attention(graph, x)), width, 1e-12)
        hidden = graph.node("Gelu", dense(graph, x, width, 4 * width))
        hidden = dense(graph, hidden, 4 * width, width)
        x = layer_norm(graph, graph.node("Add", x, hidden), width, 1e-12)
    return x
