// What the peers on Node share: WebGPU by Dawn, and the measurement that run.py reads.

import { create, globals } from 'webgpu';

const RUNS = 5;
const WARM_UP = 2;

/** Gives Node the WebGPU of a browser; refuses where Dawn accepts no adapter. */
export async function webgpu() {
  Object.assign(globalThis, globals);
  const gpu = create([]);
  const navigator = { gpu, userAgent: 'node', hardwareConcurrency: 1 };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  if (!(await gpu.requestAdapter())) throw new Error('Dawn accepts no adapter here');
}

/** Numbers of no meaning. */
export function numbers(count) {
  return Float32Array.from({ length: count }, (_, i) => (((i * 7919) % 1009) / 1009) * 2 - 1);
}

/** Prints one line of JSON: the version, the seconds of each run, and the processor's of all of them. */
export async function measure(version, seconds, once) {
  for (let i = 0; i < WARM_UP; i += 1) await once();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const times = [];
  while (times.length < RUNS || performance.now() - begin < seconds * 1e3) {
    const start = performance.now();
    await once();
    times.push((performance.now() - start) / 1e3);
  }
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ version, seconds: times, cpu_s: (user + system) / 1e6 }));
}

/** Runs a script to its end, or to the first line of what stopped it. */
export function main(script) {
  script().then(
    () => process.exit(0),
    (error) => {
      console.error(String(error.message ?? error).split('\n')[0]);
      process.exit(1);
    },
  );
}
