/** The buffers between the kernels of a pass. */

/** Activations: f32 rows, padded to a multiple of 8 columns. */
export interface Activations {
  hidden: GPUBuffer;
  normed: GPUBuffer;
  qkv: GPUBuffer;
  attended: GPUBuffer;
  /** See partsBytes. */
  attendedParts: GPUBuffer;
  gateUp: GPUBuffer;
  activated: GPUBuffer;
  /** f32 [rows][V padded]. */
  logits: GPUBuffer;
}
