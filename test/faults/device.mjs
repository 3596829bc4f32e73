// Preloaded into a worker by a test. Takes the GPU device away on SIGUSR2; buffers whose label matches
// LCKV_SHORT, or beyond LCKV_ROOM bytes in all, are asked for with the largest size there is, which the
// driver answers for want of memory.
import { globals } from 'webgpu';

const short = process.env.LCKV_SHORT && new RegExp(process.env.LCKV_SHORT);
const room = Number(process.env.LCKV_ROOM || Infinity);
const sizes = new Map();
let taken = 0;
const devices = [];
const { requestDevice } = globals.GPUAdapter.prototype;
globals.GPUAdapter.prototype.requestDevice = async function (...args) {
  const device = await requestDevice.apply(this, args);
  devices.push(device);
  return device;
};
const { createBuffer } = globals.GPUDevice.prototype;
globals.GPUDevice.prototype.createBuffer = function (descriptor) {
  const isShort = short?.test(descriptor.label ?? '') || taken + descriptor.size > room;
  const size = isShort ? this.limits.maxBufferSize : descriptor.size;
  const buffer = createBuffer.call(this, { ...descriptor, size });
  if (!isShort) {
    sizes.set(buffer, size);
    taken += size;
  }
  return buffer;
};
const { destroy } = globals.GPUBuffer.prototype;
globals.GPUBuffer.prototype.destroy = function () {
  taken -= sizes.get(this) ?? 0;
  sizes.delete(this);
  return destroy.call(this);
};
process.on('SIGUSR2', () => devices.forEach((device) => device.destroy()));
