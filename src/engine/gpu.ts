/**
 * The WebGPU device: adapter choice, limits, features, Dawn flags, loss.
 * The object that `create()` returns is kept for life: were it collected, Dawn would crash.
 */
import type { DeviceInfo } from '../protocol';

export interface GpuOptions {
  /** Part of an adapter's name, to choose among several. */
  adapter?: string;
  /** 'auto' uses subgroups where the device has them; 'off' never does. */
  subgroups?: 'auto' | 'off';
}

export declare class Gpu {
  static open(options?: GpuOptions): Promise<Gpu>;
  readonly device: GPUDevice;
  readonly info: DeviceInfo;
  dispose(): void;
}
