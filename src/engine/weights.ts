/**
 * Checkpoint tensors to GPU buffers, a few megabytes at a time: rows converted to the wanted
 * precision, padded to a multiple of 8 columns, several tensors stacked into one matrix, split into
 * pieces that the device can bind.
 */
import type { TensorInfo, TensorSource } from '../model/source';
import {
  convertRows,
  isQuantized,
  pad8,
  rowBytes,
  tensorBytes,
  toFloats,
  weightType,
  type Precision,
  type Rows,
  type WeightType,
} from './precision';
import { GROUP } from './quantize';
import { BINDING_ALIGNMENT, type Range } from './kernel';
import { placements } from './placement';
import { Uploader } from './upload';

/** Some consecutive rows of a matrix, to be bound by themselves. */
export interface Piece {
  values: Range;
  /** f16 scales of quantised rows. */
  scales: Range | null;
  rowOffset: number;
  rows: number;
}

/** A weight matrix [rows][cols] on the device; y = W x. */
export interface Matrix {
  dtype: WeightType;
  rows: number;
  /** Columns in memory: a multiple of 8, zeros in the pad. */
  cols: number;
  pieces: Piece[];
}

export interface WeightOptions {
  /** Largest buffer that the device can bind, in bytes. */
  maxPieceBytes: number;
  precision: Precision;
  /** In few buffers, as large as the device can bind (placement.ts); else each piece in one of its own. */
  isWhole: boolean;
  /** Called with the share of the checkpoint's bytes read so far, 0 to 1. */
  onProgress?: (fraction: number) => void;
  signal?: AbortSignal;
}

/** How long the parts of a load took, in milliseconds; reading overlaps with the others. */
export interface WeightTimes {
  readMs: number;
  convertMs: number;
  uploadMs: number;
}

/** Bytes read from a checkpoint at a time. */
const CHUNK_BYTES = 8 << 20;

/** Puts tensors on the device and counts what they take. */
export class WeightLoader {
  readonly times: WeightTimes = { readMs: 0, convertMs: 0, uploadMs: 0 };
  private readBytes = 0;
  /** What is on the device already, by name, for another set of kernels. */
  private readonly matrices = new Map<string, Promise<Matrix>>();
  private readonly vectors = new Map<string, Promise<Range>>();
  private readonly source: TensorSource;
  private readonly options: WeightOptions;
  private readonly uploaders: Uploader[];
  /** By tensor. */
  private readonly uploaderOf = new Map<string, Uploader>();

  constructor(device: GPUDevice, source: TensorSource, options: WeightOptions) {
    this.source = source;
    this.options = options;
    const { precision, maxPieceBytes, isWhole } = options;
    const bytesOf = (info: TensorInfo) => tensorBytes(info, precision) + 2 * BINDING_ALIGNMENT;
    this.uploaders = placements(source.tensors, bytesOf, maxPieceBytes).map(
      ({ tensors, bytes }) => {
        const uploader = new Uploader(device, isWhole && bytes <= maxPieceBytes ? bytes : 0);
        for (const { name } of tensors) this.uploaderOf.set(name, uploader);
        return uploader;
      },
    );
  }

  /** Bytes of weights uploaded so far. */
  get sizeBytes(): number {
    return this.uploaders.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  dispose(): void {
    for (const uploader of this.uploaders) uploader.dispose();
  }

  /** Stacks 2-D tensors of equal width by rows, in order. Unequal formats become F32. */
  matrix(names: readonly string[]): Promise<Matrix> {
    return once(this.matrices, names.join(), () => this.loadMatrix(names));
  }

  /** A 1-D tensor as f32, padded with zeros to a multiple of 8. */
  vector(name: string): Promise<Range> {
    return once(this.vectors, name, () => this.loadVector(name));
  }

  private async loadMatrix(names: readonly string[]): Promise<Matrix> {
    const infos = names.map((name) => this.source.info(name));
    const types = infos.map((info) => weightType(info, this.options.precision));
    const dtype = types.every((type) => type === types[0]) ? types[0] : 'F32';
    const cols = pad8(infos[0].shape[1]);
    const rows = infos.reduce((sum, { shape }) => sum + shape[0], 0);
    const uploader = this.uploaderOf.get(names[0])!;
    const pieces = this.allocate(uploader, names[0], dtype, rows, cols);
    const matrix: Matrix = { dtype, rows, cols, pieces };
    const scales = isQuantized(dtype) ? new Uint16Array((rows * cols) / GROUP) : null;
    let row = 0;
    for (const info of infos) {
      for await (const part of this.chunks(info)) {
        const converted = this.timed('convertMs', () => convertRows(part, info.dtype, dtype));
        row += await this.writeRows(uploader, matrix, row, info.shape[1], converted, scales);
      }
    }
    const perRow = cols / GROUP;
    for (const { scales: target, rowOffset, rows: count } of pieces) {
      if (!target || !scales) continue;
      const part = scales.subarray(rowOffset * perRow, (rowOffset + count) * perRow);
      await uploader.write(target, 0, part);
    }
    return matrix;
  }

  private async loadVector(name: string): Promise<Range> {
    const info = this.source.info(name);
    const values = await this.read(name);
    const uploader = this.uploaderOf.get(name)!;
    const target = uploader.create(name, pad8(info.shape[0]) * 4);
    await uploader.write(target, 0, toFloats({ values, scales: null }, info.dtype));
    return target;
  }

  /** A tensor's rows, CHUNK_BYTES at a time; the next ones are read while these are used. */
  private async *chunks(info: TensorInfo): AsyncGenerator<Rows> {
    const [count, width] = info.shape;
    const stride = rowBytes(info.dtype, width);
    const step = Math.max(1, Math.floor(CHUNK_BYTES / stride));
    const scales = info.dtype === 'I8' ? await this.read(`${info.name}_scale`) : null;
    const load = (from: number) => {
      const reading = this.read(info.name, from * stride, Math.min(count, from + step) * stride);
      reading.catch(() => {}); // told when it is waited for, if it is
      return reading;
    };
    let next = load(0);
    for (let row = 0; row < count; row += step) {
      const begin = performance.now();
      const values = await next;
      this.times.readMs += performance.now() - begin;
      if (row + step < count) next = load(row + step);
      const part = scales && new Uint16Array(scales.buffer, scales.byteOffset, scales.length / 2);
      const perRow = width / GROUP;
      yield { values, scales: part && part.subarray(row * perRow, (row + step) * perRow) };
    }
  }

  private async read(name: string, begin?: number, end?: number): Promise<Uint8Array> {
    const { signal, onProgress } = this.options;
    signal?.throwIfAborted();
    const bytes = await this.source.read(name, begin, end);
    this.readBytes += bytes.byteLength;
    onProgress?.(Math.min(1, this.readBytes / this.source.totalBytes));
    return bytes;
  }

  /** Writes rows that start at `first` of the matrix into the pieces they fall in; counts them. */
  private async writeRows(
    uploader: Uploader,
    matrix: Matrix,
    first: number,
    width: number,
    rows: Rows,
    scales: Uint16Array | null,
  ): Promise<number> {
    const stride = rowBytes(matrix.dtype, matrix.cols);
    const bytes = padRows(rows.values, rowBytes(matrix.dtype, width), stride);
    const count = bytes.byteLength / stride;
    if (rows.scales) scales?.set(rows.scales, (first * matrix.cols) / GROUP);
    const begin = performance.now();
    for (const piece of matrix.pieces) {
      const from = Math.max(first, piece.rowOffset);
      const to = Math.min(first + count, piece.rowOffset + piece.rows);
      if (from >= to) continue;
      const part = bytes.subarray((from - first) * stride, (to - first) * stride);
      await uploader.write(piece.values, (from - piece.rowOffset) * stride, part);
    }
    this.times.uploadMs += performance.now() - begin;
    return count;
  }

  private allocate(
    uploader: Uploader,
    label: string,
    type: WeightType,
    rows: number,
    cols: number,
  ): Piece[] {
    const stride = rowBytes(type, cols);
    const perPiece = Math.max(1, Math.floor(this.options.maxPieceBytes / stride));
    const pieces: Piece[] = [];
    for (let rowOffset = 0; rowOffset < rows; rowOffset += perPiece) {
      const count = Math.min(perPiece, rows - rowOffset);
      const name = `${label}[${rowOffset}..]`;
      const scaleBytes = (count * cols * 2) / GROUP;
      pieces.push({
        values: uploader.create(name, count * stride),
        scales: isQuantized(type) ? uploader.create(`${name} scales`, scaleBytes) : null,
        rowOffset,
        rows: count,
      });
    }
    return pieces;
  }

  private timed<T>(part: keyof WeightTimes, work: () => T): T {
    const begin = performance.now();
    const result = work();
    this.times[part] += performance.now() - begin;
    return result;
  }
}

function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
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
