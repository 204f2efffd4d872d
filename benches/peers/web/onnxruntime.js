// onnxruntime-web's side of benches/peers/run.py: node onnxruntime.js WORKLOAD BATCH SECONDS MODEL
//
// Runs the ONNX graph that onnxruntime runs on the processor, by the WebGPU backend on Dawn.

import { readFile } from 'node:fs/promises';

import { main, measure, numbers, webgpu } from './harness.js';

/** Its memory is shared, which Dawn in Node refuses to write from: a copy is not. */
function copyWrites() {
  const write = GPUQueue.prototype.writeBuffer;
  GPUQueue.prototype.writeBuffer = function copied(buffer, at, data, start = 0, size = data.length - start) {
    return write.call(this, buffer, at, data.slice(start, start + size));
  };
}

function tensor(ort, { type, shape }, batch) {
  if (type === 'float16') throw new Error('float16 is not written for onnxruntime-web');
  const full = [batch, ...shape.slice(1)];
  const data = numbers(full.reduce((a, b) => a * b, 1));
  return new ort.Tensor(type, type === 'int32' ? Int32Array.from(data, (x) => Math.abs(x) * 30000) : data, full);
}

main(async () => {
  const [, batch, seconds, file] = process.argv.slice(2);
  await webgpu();
  copyWrites();
  const ort = await import('onnxruntime-web/webgpu');
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create(await readFile(file), { executionProviders: ['webgpu'] });
  const inputs = session.inputMetadata.map((input) => [input.name, tensor(ort, input, Number(batch))]);
  const once = async () => {
    const outputs = await session.run(Object.fromEntries(inputs));
    await Promise.all(Object.values(outputs).map((output) => output.getData()));
  };
  await measure(`onnxruntime-web ${ort.env.versions.web} (WebGPU, Dawn)`, Number(seconds), once);
});
