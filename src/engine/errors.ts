/** What the device reports while something is made on it. */

/** In the driver's words, or null: memory that did not suffice, and anything else that is wrong. */
export interface DeviceErrors {
  shortage: string | null;
  fault: string | null;
}

/**
 * Begins to collect what a device reports, in its order of work; the function that it returns ends
 * that at once and resolves with the first of each kind, or rejects when the device is lost. A buffer
 * that there was no room for makes whatever uses it invalid, so a shortage counts before a fault.
 */
export function watchErrors(device: GPUDevice): () => Promise<DeviceErrors> {
  device.pushErrorScope('validation');
  device.pushErrorScope('out-of-memory');
  return async () => {
    const ended = [device.popErrorScope(), device.popErrorScope()];
    const [shortage, fault] = await Promise.all(ended);
    return { shortage: shortage?.message ?? null, fault: fault?.message ?? null };
  };
}
