// Preloaded into a worker by a test. Takes the GPU device away on SIGUSR2; buffers whose label matches
// LCKV_SHORT are asked for with the largest size there is, which the driver answers for want of memory.
import { globals } from 'webgpu';

const short = process.env.LCKV_SHORT && new RegExp(process.env.LCKV_SHORT);
const devices = [];
const { requestDevice } = globals.GPUAdapter.prototype;
globals.GPUAdapter.prototype.requestDevice = async function (...args) {
  const device = await requestDevice.apply(this, args);
  devices.push(device);
  return device;
};
const { createBuffer } = globals.GPUDevice.prototype;
globals.GPUDevice.prototype.createBuffer = function (descriptor) {
  const isShort = short && short.test(descriptor.label ?? '');
  const size = isShort ? this.limits.maxBufferSize : descriptor.size;
  return createBuffer.call(this, { ...descriptor, size });
};
process.on('SIGUSR2', () => devices.forEach((device) => device.destroy()));
