/**
 * Checkpoint tensors to GPU buffers: rows padded to a multiple of 8 columns, several tensors
 * stacked into one matrix, split into pieces that the device can bind.
 */
import type { Dtype, TensorSource } from '../model/source';

/** Columns of one int8 scale (models/README.md). */
const GROUP = 32;

/** Some consecutive rows of a matrix in a buffer of their own. */
export interface Piece {
  buffer: GPUBuffer;
  /** f16 scales of int8 rows. */
  scales: GPUBuffer | null;
  rowOffset: number;
  rows: number;
}

/** A weight matrix [rows][cols] on the device; y = W x. */
export interface Matrix {
  dtype: Dtype;
  rows: number;
  /** Columns in memory: a multiple of 8, zeros in the pad. */
  cols: number;
  pieces: Piece[];
}

const BYTES: Record<Dtype, number> = { F32: 4, F16: 2, BF16: 2, I8: 1 };

/** Rounds up to a multiple of 8: the stride of every activation row and weight row. */
export function pad8(count: number): number {
  return Math.ceil(count / 8) * 8;
}

/** Hears of each tensor, and may stop the load. */
export interface LoadProgress {
  /** Called with the share of the checkpoint's bytes read so far, 0 to 1. */
  onProgress?: (fraction: number) => void;
  signal?: AbortSignal;
}

/** Puts tensors on the device and counts what they take. */
export class WeightLoader {
  /** Bytes of weights uploaded so far. */
  sizeBytes = 0;
  private readBytes = 0;
  private readonly device: GPUDevice;
  private readonly source: TensorSource;
  private readonly maxPieceBytes: number;
  private readonly progress: LoadProgress;
  private readonly buffers: GPUBuffer[] = [];

  constructor(
    device: GPUDevice,
    source: TensorSource,
    maxPieceBytes: number,
    progress: LoadProgress = {},
  ) {
    this.device = device;
    this.source = source;
    this.maxPieceBytes = maxPieceBytes;
    this.progress = progress;
  }

  dispose(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }

  /** Stacks 2-D tensors of equal width by rows, in order. Unequal dtypes become F32. */
  async matrix(names: readonly string[]): Promise<Matrix> {
    const infos = names.map((name) => this.source.info(name));
    const dtype = infos.every((info) => info.dtype === infos[0].dtype) ? infos[0].dtype : 'F32';
    const width = infos[0].shape[1];
    const cols = pad8(width);
    const rows = infos.reduce((sum, info) => sum + info.shape[0], 0);
    const matrix: Matrix = {
      dtype,
      rows,
      cols,
      pieces: this.allocate(names[0], dtype, rows, cols),
    };

    let row = 0;
    const scales = dtype === 'I8' ? new Uint16Array((rows * cols) / GROUP) : null;
    for (const info of infos) {
      const bytes = convert(await this.read(info.name), info.dtype, dtype);
      const rowBytes = cols * BYTES[dtype];
      this.writeRows(matrix, row, padRows(bytes, width * BYTES[dtype], rowBytes), rowBytes);
      if (scales) {
        const part = await this.read(`${info.name}_scale`);
        scales.set(
          new Uint16Array(part.buffer, part.byteOffset, part.byteLength / 2),
          (row * cols) / GROUP,
        );
      }
      row += info.shape[0];
    }
    if (scales) for (const piece of matrix.pieces) this.writeScales(piece, scales, cols / GROUP);
    return matrix;
  }

  /** A 1-D tensor as f32, padded with zeros to a multiple of 8. */
  async vector(name: string): Promise<GPUBuffer> {
    const info = this.source.info(name);
    const bytes = convert(await this.read(name), info.dtype, 'F32');
    const buffer = this.createBuffer(name, pad8(info.shape[0]) * 4);
    this.device.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  }

  private async read(name: string): Promise<Uint8Array> {
    this.progress.signal?.throwIfAborted();
    const bytes = await this.source.read(name);
    this.readBytes += bytes.byteLength;
    this.progress.onProgress?.(Math.min(1, this.readBytes / this.source.totalBytes));
    return bytes;
  }

  private allocate(label: string, dtype: Dtype, rows: number, cols: number): Piece[] {
    const perPiece = Math.max(1, Math.floor(this.maxPieceBytes / (cols * BYTES[dtype])));
    const pieces: Piece[] = [];
    for (let rowOffset = 0; rowOffset < rows; rowOffset += perPiece) {
      const count = Math.min(perPiece, rows - rowOffset);
      const name = `${label}[${rowOffset}..]`;
      const scaleBytes = Math.ceil((count * cols) / GROUP / 2) * 4;
      pieces.push({
        buffer: this.createBuffer(name, count * cols * BYTES[dtype]),
        scales: dtype === 'I8' ? this.createBuffer(`${name} scales`, scaleBytes) : null,
        rowOffset,
        rows: count,
      });
    }
    return pieces;
  }

  /** Writes padded rows that start at `firstRow` of the matrix into the pieces they fall in. */
  private writeRows(matrix: Matrix, firstRow: number, bytes: Uint8Array, rowBytes: number): void {
    const endRow = firstRow + bytes.byteLength / rowBytes;
    for (const piece of matrix.pieces) {
      const from = Math.max(firstRow, piece.rowOffset);
      const to = Math.min(endRow, piece.rowOffset + piece.rows);
      if (from >= to) continue;
      this.device.queue.writeBuffer(
        piece.buffer,
        (from - piece.rowOffset) * rowBytes,
        bytes,
        (from - firstRow) * rowBytes,
        (to - from) * rowBytes,
      );
    }
  }

  private writeScales(piece: Piece, scales: Uint16Array, perRow: number): void {
    const part = scales.subarray(piece.rowOffset * perRow, (piece.rowOffset + piece.rows) * perRow);
    const even = new Uint16Array(Math.ceil(part.length / 2) * 2);
    even.set(part);
    this.device.queue.writeBuffer(piece.scales!, 0, even);
  }

  private createBuffer(label: string, size: number): GPUBuffer {
    const buffer = this.device.createBuffer({
      label,
      size: Math.max(16, size),
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
    this.sizeBytes += size;
    this.buffers.push(buffer);
    return buffer;
  }
}

/** Widens F16 or BF16 numbers to F32 where that is asked for; equal dtypes pass through. */
function convert(bytes: Uint8Array, from: Dtype, to: Dtype): Uint8Array {
  if (from === to) return bytes;
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    words[i] = from === 'BF16' ? halves[i] << 16 : halfToFloatBits(halves[i]);
  }
  return new Uint8Array(words.buffer);
}

/** IEEE 754 half to the bits of the equal single. */
function halfToFloatBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

function padRows(bytes: Uint8Array, width: number, stride: number): Uint8Array {
  if (width === stride) return bytes;
  const rows = bytes.byteLength / width;
  const padded = new Uint8Array(rows * stride);
  for (let row = 0; row < rows; row++) {
    padded.set(bytes.subarray(row * width, (row + 1) * width), row * stride);
  }
  return padded;
}
