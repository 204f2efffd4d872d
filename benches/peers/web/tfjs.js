// TensorFlow.js's side of benches/peers/run.py: node tfjs.js WORKLOAD BATCH SECONDS
//
// Runs one workload by the WebGPU backend on Dawn, from arrays of this process to arrays of this process,
// as `keraunos bench` does. Weights are random: no time depends on them.

import { register } from 'node:module';

import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';

import { main, measure, numbers, webgpu } from './harness.js';
import { network } from './networks.js';

/** A run of `forward` on arrays of these shapes. */
function run(shapes, forward) {
  const arrays = shapes.map((shape) => numbers(shape.reduce((a, b) => a * b, 1)));
  return async () => {
    const output = tf.tidy(() => forward(...arrays.map((data, i) => tf.tensor(data, shapes[i]))));
    await output.data();
    output.dispose();
  };
}

function predict(model, shape) {
  return run([shape], (x) => model.predict(x));
}

function recurrent(make, batch) {
  const input = layers.input({ shape: [128, 256] });
  const model = layers.model({ inputs: input, outputs: make({ units: 256 }).apply(input) });
  return predict(model, [batch, 128, 256]);
}

function convolution([kernel, inner, outer, size, stride], batch) {
  const filter = tf.randomNormal([kernel, kernel, inner, outer]);
  return run([[batch, size, size, inner]], (x) => tf.conv2d(x, filter, stride, 'same'));
}

/** A step of training of the small convolutional network; the loss is read. */
function training(batch) {
  const model = layers.sequential();
  model.add(layers.layers.conv2d({ inputShape: [28, 28, 1], filters: 32, kernelSize: 3, activation: 'relu' }));
  model.add(layers.layers.maxPooling2d({ poolSize: 2 }));
  model.add(layers.layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }));
  model.add(layers.layers.maxPooling2d({ poolSize: 2 }));
  model.add(layers.layers.flatten());
  model.add(layers.layers.dense({ units: 10, activation: 'softmax' }));
  model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  const data = numbers(batch * 784);
  const labels = Float32Array.from({ length: batch }, (_, i) => i % 10);
  return async () => {
    const [x, y] = [tf.tensor(data, [batch, 28, 28, 1]), tf.tensor(labels, [batch, 1])];
    await model.trainOnBatch(x, y);
    tf.dispose([x, y]);
  };
}

function workload(name, batch) {
  const parts = name.split('_');
  const n = Number(parts[1]);
  if (parts[2] === 'f16') return undefined;
  switch (parts[0]) {
    case 'matmul':
      return run([[n, n], [n, n]], (a, b) => tf.matMul(a, b));
    case 'conv':
      return convolution(parts.slice(1).map(Number), batch);
    case 'softmax':
      return run([[batch, 4096, 1024]], (x) => tf.softmax(x));
    case 'layernorm':
      return run([[batch, 4096, 1024]], (x) => {
        const { mean, variance } = tf.moments(x, -1, true);
        return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-3)));
      });
    case 'lstm':
      return recurrent(layers.layers.lstm, batch);
    case 'gru':
      return recurrent(layers.layers.gru, batch);
    case 'train':
      return parts[1] === 'cnn' ? training(batch) : undefined;
    default: {
      const found = network(name);
      return found && run([[batch, ...found.shape]], found.forward);
    }
  }
}

main(async () => {
  const [name, batch, seconds] = process.argv.slice(2);
  await webgpu();
  await import('@tensorflow/tfjs-backend-webgpu');
  // Its layers call operations as methods, and training asks for gradients by name.
  register('./extensions.js', import.meta.url);
  await import('@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js');
  await import('@tensorflow/tfjs-core/dist/register_all_gradients.js');
  if (!(await tf.setBackend('webgpu'))) throw new Error('the WebGPU backend does not start');
  await tf.ready();
  const once = workload(name, Number(batch));
  if (!once) throw new Error(`${name} is not written for TensorFlow.js`);
  await measure(`TensorFlow.js ${tf.version_core} (WebGPU, Dawn)`, Number(seconds), once);
});
