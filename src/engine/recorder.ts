/**
 * Commands on their way to the device: dispatches gather in one compute pass until a copy, a clear
 * or a submit ends it.
 */
import { dispatch, type Kernel, type Rows } from './kernel';
import { Readback, type ReadPart } from './readback';

export class Recorder {
  private readonly device: GPUDevice;
  private readonly readback: Readback;
  private encoder: GPUCommandEncoder | null = null;
  private pass: GPUComputePassEncoder | null = null;

  constructor(device: GPUDevice) {
    this.device = device;
    this.readback = new Readback(device);
  }

  /** Records the kernels for a pass over these rows. */
  run(kernels: readonly Kernel[], rows: Rows): void {
    this.pass ??= this.commands().beginComputePass();
    for (const kernel of kernels) dispatch(this.pass, kernel, rows);
  }

  copy(source: GPUBuffer, sourceAt: number, target: GPUBuffer, at: number, bytes: number): void {
    this.outsidePass().copyBufferToBuffer(source, sourceAt, target, at, bytes);
  }

  clear(buffer: GPUBuffer, at: number, bytes: number): void {
    this.outsidePass().clearBuffer(buffer, at, bytes);
  }

  /** Sets bytes of a buffer for what is recorded from now on; submits what was before. */
  write(buffer: GPUBuffer, at: number, data: Uint32Array): void {
    this.submit();
    this.device.queue.writeBuffer(buffer, at, data);
  }

  submit(): void {
    if (!this.encoder) return;
    this.device.queue.submit([this.outsidePass().finish()]);
    this.encoder = null;
  }

  /** Submits, and resolves with the parts end to end when the device has got there. */
  read(parts: ReadPart[]): Promise<ArrayBuffer> {
    const encoder = this.outsidePass();
    this.encoder = null;
    return this.readback.submit(encoder, parts);
  }

  /** Drops what was recorded and not submitted. */
  reset(): void {
    this.outsidePass();
    this.encoder = null;
  }

  dispose(): void {
    this.readback.dispose();
  }

  private commands(): GPUCommandEncoder {
    return (this.encoder ??= this.device.createCommandEncoder({ label: 'forward' }));
  }

  private outsidePass(): GPUCommandEncoder {
    this.pass?.end();
    this.pass = null;
    return this.commands();
  }
}
