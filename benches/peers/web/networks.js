// Whole networks of TensorFlow.js's operations, as Keras's applications build them.

import * as tf from '@tensorflow/tfjs-core';

/** A convolution and what normalises it. */
function normal(inner, outer, kernel, stride, depthwise = false) {
  const filter = tf.randomNormal([kernel, kernel, inner, depthwise ? 1 : outer], 0, 0.05);
  const [mean, shift] = [tf.zeros([outer]), tf.zeros([outer])];
  const [variance, scale] = [tf.ones([outer]), tf.ones([outer])];
  const convolve = depthwise ? tf.depthwiseConv2d : tf.conv2d;
  return (x) => tf.batchNorm(convolve(x, filter, stride, 'same'), mean, variance, shift, scale, 1e-3);
}

/** Mean over the image, then classes. */
function classes(channels) {
  const [kernel, bias] = [tf.randomNormal([channels, 1000], 0, 0.05), tf.zeros([1000])];
  return (x) => tf.softmax(tf.add(tf.matMul(tf.mean(x, [1, 2]), kernel), bias));
}

function resnet50() {
  const first = normal(3, 64, 7, 2);
  const blocks = [];
  let inner = 64;
  for (const [filters, count, stage] of [[64, 3, 1], [128, 4, 2], [256, 6, 2], [512, 3, 2]]) {
    for (let i = 0; i < count; i += 1) {
      const stride = i === 0 ? stage : 1;
      blocks.push({
        shortcut: i === 0 ? normal(inner, 4 * filters, 1, stride) : (x) => x,
        path: [normal(inner, filters, 1, stride), normal(filters, filters, 3, 1), normal(filters, 4 * filters, 1, 1)],
      });
      inner = 4 * filters;
    }
  }
  const last = classes(2048);
  return (image) => {
    let x = tf.maxPool(tf.relu(first(image)), 3, 2, 'same');
    for (const { shortcut, path } of blocks) {
      const y = path[2](tf.relu(path[1](tf.relu(path[0](x)))));
      x = tf.relu(tf.add(y, shortcut(x)));
    }
    return last(x);
  };
}

function mobilenetV2() {
  const first = normal(3, 32, 3, 2);
  const stages = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]];
  const blocks = [];
  let inner = 32;
  for (const [factor, outer, count, stage] of stages) {
    for (let i = 0; i < count; i += 1) {
      const [stride, wide] = [i === 0 ? stage : 1, inner * factor];
      const expand = normal(inner, wide, 1, 1);
      blocks.push({
        expand: factor > 1 ? (x) => tf.relu6(expand(x)) : (x) => x,
        depthwise: normal(wide, wide, 3, stride, true),
        project: normal(wide, outer, 1, 1),
        adds: stride === 1 && inner === outer,
      });
      inner = outer;
    }
  }
  const [wide, last] = [normal(320, 1280, 1, 1), classes(1280)];
  return (image) => {
    let x = tf.relu6(first(image));
    for (const { expand, depthwise, project, adds } of blocks) {
      const y = project(tf.relu6(depthwise(expand(x))));
      x = adds ? tf.add(x, y) : y;
    }
    return last(tf.relu6(wide(x)));
  };
}

const [SEQUENCE, WIDTH, HEADS] = [128, 768, 12];

function dense(inner, outer) {
  const [kernel, bias] = [tf.randomNormal([inner, outer], 0, 0.05), tf.zeros([outer])];
  return (x) => tf.add(tf.reshape(tf.matMul(tf.reshape(x, [-1, inner]), kernel), [-1, SEQUENCE, outer]), bias);
}

function layerNorm(x) {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-12)));
}

function gelu(x) {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}

function encoder() {
  const table = tf.randomNormal([30522, WIDTH], 0, 0.05);
  const stack = Array.from({ length: 12 }, () => ({
    heads: [0, 1, 2].map(() => dense(WIDTH, WIDTH)),
    output: dense(WIDTH, WIDTH),
    dense: [dense(WIDTH, 4 * WIDTH), dense(4 * WIDTH, WIDTH)],
  }));
  const split = (x) => tf.transpose(tf.reshape(x, [-1, SEQUENCE, HEADS, WIDTH / HEADS]), [0, 2, 1, 3]);
  const join = (x) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, SEQUENCE, WIDTH]);
  return (tokens) => {
    const ids = tf.reshape(tf.cast(tf.mul(tf.abs(tokens), 30000), 'int32'), [-1]);
    let x = layerNorm(tf.reshape(tf.gather(table, ids), [-1, SEQUENCE, WIDTH]));
    for (const layer of stack) {
      const [q, k, v] = layer.heads.map((head) => split(head(x)));
      const scores = tf.softmax(tf.mul(tf.matMul(q, k, false, true), Math.sqrt(HEADS / WIDTH)));
      x = layerNorm(tf.add(x, layer.output(join(tf.matMul(scores, v)))));
      x = layerNorm(tf.add(x, layer.dense[1](gelu(layer.dense[0](x)))));
    }
    return x;
  };
}

/** The network of a name and the shape of what it takes, without the batch. */
export function network(name) {
  switch (name) {
    case 'resnet50':
      return { shape: [224, 224, 3], forward: resnet50() };
    case 'mobilenet_v2':
      return { shape: [224, 224, 3], forward: mobilenetV2() };
    case 'encoder':
      return { shape: [SEQUENCE], forward: encoder() };
    default:
      return undefined;
  }
}
