// Preloaded into a worker by the soak. On SIGUSR2 it collects garbage and writes what the process
// holds to the file that LCKV_COUNTS names; pages are the buffers that keep earlier prompts. With LCKV_LEAK, buffers whose label matches are never given back.
import { renameSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { globals } from 'webgpu';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
const file = process.env.LCKV_COUNTS;
const leak = process.env.LCKV_LEAK ? new RegExp(process.env.LCKV_LEAK) : undefined;

/** Sizes and labels of the buffers that are neither destroyed nor collected. */
const live = new Map();
const ids = new WeakMap();
const collected = new FinalizationRegistry((id) => live.delete(id));
let lastId = 0;

const { createBuffer } = globals.GPUDevice.prototype;
globals.GPUDevice.prototype.createBuffer = function (descriptor) {
  const buffer = createBuffer.call(this, descriptor);
  const id = ++lastId;
  live.set(id, { size: descriptor.size, label: descriptor.label });
  ids.set(buffer, id);
  collected.register(buffer, id);
  return buffer;
};
const { destroy } = globals.GPUBuffer.prototype;
const kept = [];
globals.GPUBuffer.prototype.destroy = function () {
  if (leak?.test(this.label)) return void kept.push(this);
  live.delete(ids.get(this));
  return destroy.call(this);
};

process.on('SIGUSR2', () => {
  gc();
  // Finalizers run in a later turn.
  setTimeout(() => {
    const { rss, heapUsed } = process.memoryUsage();
    const buffers = [...live.values()];
    const pages = buffers.filter(({ label }) => label === 'snapshot');
    const bytesOf = (some) => some.reduce((sum, { size }) => sum + size, 0);
    const counts = {
      ...{ rss, heapUsed, gpuBuffers: buffers.length, gpuBytes: bytesOf(buffers) },
      ...{ pages: pages.length, pageBytes: bytesOf(pages) },
    };
    writeFileSync(`${file}.part`, JSON.stringify(counts));
    renameSync(`${file}.part`, file);
  }, 20);
});
