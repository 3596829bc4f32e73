/** How much memory a model may take, where that can be known: WebGPU does not tell. */
import { freemem, totalmem } from 'node:os';
import type { DeviceInfo } from '../protocol';

/** Apple's GPUs use the machine's memory, by default up to this share. */
const UNIFIED_SHARE = 0.7;

/**
 * Bytes that a model may take on a device while others take `inUseBytes`; null where nobody knows,
 * as with memory of a graphics card: there the driver says when it is full.
 */
export function availableMemory(device: DeviceInfo, inUseBytes: number): number | null {
  // What other workers hold is no longer free.
  if (device.software) return Math.min(freemem(), process.availableMemory());
  if (process.platform === 'darwin') return totalmem() * UNIFIED_SHARE - inUseBytes;
  return null;
}
