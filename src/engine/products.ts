/**
 * Products of weight matrices with rows of activations: which shader, with which constants.
 * One to a few rows: the matrix is read once by many subgroups, and what stands before and after
 * the product (norm, RoPE, GLU, residual) is part of the kernel. Many rows: the product alone, or a
 * few at a time where the GPU is a CPU. Where subgroups multiply matrices, they do so for three rows and more.
 */
import { plainInput, productSpec, storedOutput, type Ends, type Fragment } from './fragments';
import type { MatrixUnit } from './gpu';
import { USUAL_SUBGROUP } from './kernel';
import type { Kernel, KernelCompiler, KernelSet } from './kernel';
import { matmul, matmulRanges, type MatmulShape } from './matmul';
import { matrixProduct, matrixRanges, type MatrixShape } from './matrices';
import { FEW_ROWS, MOST_ROWS } from './stage';
import type { Matrix, Piece } from './weights';
import matvecSource from '../../shaders/matvec.wgsl';
import matvecSoftwareSource from '../../shaders/matvec_software.wgsl';
import matvecSubgroupSource from '../../shaders/matvec_subgroup.wgsl';

/** From so many rows of branches on, products in tiles are faster; at most FEW_ROWS + 1. */
const TILED_ROWS = 9;
/** From so many on they are by matrices of a subgroup, where there are any. */
const MATRIX_ROWS = 3;

/** Products in tiles: each default is what is fast. */
export interface Tiling {
  /** Tiles of every product with many rows; default: by the numbers of rows. */
  matmul?: MatmulShape;
  /** Rows of branches from which on their products are in tiles: 2 to FEW_ROWS + 1. */
  tiledRows?: number;
  /** Tiles by matrices of a subgroup (matrices.ts), where the device has them; a shape: for all of them. */
  matrices?: boolean | MatrixShape;
}

/** How matvec*.wgsl shares out a matrix; any numbers are right, they differ in speed. */
export interface MatvecShape {
  /** Invocations of a workgroup. */
  lanes: number;
  /** Units of pairs of a workgroup. */
  units: number;
  /** Pairs that a subgroup has in hand at a time. */
  pairs: number;
  /** Blocks of columns that a lane has under way. */
  depth: number;
}

/** How a matrix is shared out for one row, and for a few: those have pairs share their loads. */
export interface MatvecShapes {
  one: MatvecShape;
  few: MatvecShape;
}

/** With subgroups of 32, a unit for each subgroup. */
const MATVEC_SUBGROUP: MatvecShapes = {
  one: { lanes: 128, units: 4, pairs: 1, depth: 1 },
  few: { lanes: 128, units: 4, pairs: 2, depth: 1 },
};
/** Without subgroups 16 lanes share a unit, which is one pair. */
const MATVEC_WORKGROUP: MatvecShape = { lanes: 64, units: 4, pairs: 1, depth: 1 };
/** On a CPU a lane has a pair to itself. */
const MATVEC_SOFTWARE: MatvecShape = { lanes: 16, units: 16, pairs: 1, depth: 1 };
const MATVEC_SHAPES: Record<KernelSet, MatvecShapes> = {
  subgroup: MATVEC_SUBGROUP,
  workgroup: { one: MATVEC_WORKGROUP, few: MATVEC_WORKGROUP },
  software: { one: MATVEC_SOFTWARE, few: MATVEC_SOFTWARE },
};

/** The shapes of a kernel set, or those asked for. */
export function matvecShapes(set: KernelSet, asked: Partial<MatvecShapes> = {}): MatvecShapes {
  const { one, few } = MATVEC_SHAPES[set];
  return { one: asked.one ?? one, few: asked.few ?? few };
}

const MATVEC_SOURCES: Record<KernelSet, string> = {
  subgroup: matvecSubgroupSource,
  workgroup: matvecSource,
  software: matvecSoftwareSource,
};

/** Compiles products for one model. */
export class Products {
  private readonly compiler: KernelCompiler;
  private readonly step: GPUBuffer;
  private readonly set: KernelSet;
  private readonly shapes: MatvecShapes;
  private readonly tiling: Tiling;
  /** Null: tiles without matrices of a subgroup. */
  private readonly unit: MatrixUnit | null;

  constructor(
    compiler: KernelCompiler,
    step: GPUBuffer,
    set: KernelSet,
    shapes: MatvecShapes,
    tiling: Tiling = {},
  ) {
    this.compiler = compiler;
    this.step = step;
    this.set = set;
    this.shapes = shapes;
    this.tiling = tiling;
    this.unit = tiling.matrices ? compiler.matrixUnit : null;
  }

  /** Whether so many rows of branches take plain products in tiles, rather than fused ones. */
  isTiled(rows: number): boolean {
    if (this.set === 'software' || this.unit) return false;
    return rows >= (this.tiling.tiledRows ?? TILED_ROWS);
  }

  /** output(W input(x)) for any number of rows, `rows` of them together: at most FEW_ROWS, or MOST_ROWS by matrices. */
  fused(
    label: string,
    matrix: Matrix,
    input: Fragment,
    output: Fragment,
    rows = 1,
  ): Promise<Kernel[]> {
    const ends = { input, output, step: this.step };
    if (rows >= MATRIX_ROWS && this.unit) return this.byMatrices(label, matrix, ends, MOST_ROWS);
    return Promise.all(
      matrix.pieces.map((piece) =>
        this.matvec(label, matrix, piece, ends, Math.min(rows, FEW_ROWS)),
      ),
    );
  }

  /** y = W x, or y += W x, for any number of rows: of the kernels, those of a number run. */
  plain(
    matrix: Matrix,
    x: GPUBuffer,
    y: GPUBuffer,
    stride: number,
    add: boolean,
  ): Promise<Kernel[]> {
    const { compiler, step } = this;
    if (this.unit) {
      const ends = { input: plainInput(x), output: storedOutput(y, stride, add), step };
      return this.byMatrices('matmul', matrix, ends);
    }
    const ends = { x, y, stride, add, step };
    return Promise.all(
      matrix.pieces.flatMap((piece) =>
        matmulRanges(piece.rows, this.tiling.matmul).map(({ shape, range }) =>
          matmul(compiler, matrix, piece, ends, shape, range),
        ),
      ),
    );
  }

  /** For at most `most` rows. */
  private byMatrices(
    label: string,
    matrix: Matrix,
    ends: Ends,
    most = Infinity,
  ): Promise<Kernel[]> {
    const { compiler } = this;
    const unit = this.unit!;
    const asked = typeof this.tiling.matrices === 'object' ? this.tiling.matrices : undefined;
    return Promise.all(
      matrix.pieces.flatMap((piece) =>
        matrixRanges(piece.rows, unit, compiler.device, asked)
          .filter(({ range: [least] }) => least <= most)
          .map(({ shape, range }) =>
            matrixProduct(compiler, label, matrix, piece, ends, shape, unit, range),
          ),
      ),
    );
  }

  private matvec(
    label: string,
    matrix: Matrix,
    piece: Piece,
    ends: Ends,
    tokens: number,
  ): Promise<Kernel> {
    const { lanes, units, pairs, depth } = tokens === 1 ? this.shapes.one : this.shapes.few;
    const turns = Math.ceil(matrix.cols / 8 / USUAL_SUBGROUP);
    return this.compiler.compile({
      ...productSpec(label, matrix, piece, ends, {
        directives:
          this.set === 'workgroup' ? undefined : 'enable subgroups;\nrequires subgroup_id;',
        source: MATVEC_SOURCES[this.set],
        constants: {
          TOKENS: tokens,
          LANES: lanes,
          UNITS: units,
          PAIRS: pairs,
          DEPTH: Math.min(depth, turns),
        },
      }),
      workgroups: ({ count }) => [
        Math.ceil(piece.rows / 2 / (units * pairs)),
        Math.ceil(count / tokens),
        1,
      ],
    });
  }
}
