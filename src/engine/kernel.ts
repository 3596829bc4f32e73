/**
 * WGSL files and constants to pipelines, and pipelines with their buffers to dispatches.
 * Pipelines are shared by their whole source text.
 */
import { Fault, say } from '../sentence';
import type { MatrixUnit } from './gpu';

/**
 * Which variants of the kernels run: with subgroups, without, or with subgroups on an adapter that
 * runs on the CPU, where loads are dear and workgroup memory is dearer.
 */
export type KernelSet = 'subgroup' | 'workgroup' | 'software';

/** The rows of a pass: new tokens one after the other, or one new token of each branch. */
export interface Rows {
  count: number;
  /** Position after the rows. */
  end: number;
}

/** Whole numbers become `u32`, `{ f32 }` becomes `f32`, booleans `bool` constants. */
export type Constants = Record<string, number | boolean | { f32: number }>;

/** How a kernel uses a buffer: read-only, read and written, or the uniform step. */
export type Access = 'read' | 'write' | 'uniform';

/** A part of a buffer, in bytes; it begins where a binding may begin (BINDING_ALIGNMENT). */
export interface Range {
  buffer: GPUBuffer;
  offset: number;
  size: number;
}

/** WebGPU's guarantee for where a bound part of a buffer may begin, in bytes. */
export const BINDING_ALIGNMENT = 256;

/** The next place where a part may begin. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
}

/** The largest buffer that a kernel can use as a whole, in bytes. */
export function bindableBytes({ limits }: GPUDevice): number {
  return Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
}

/** Lanes of the subgroups of most GPUs, the narrowest that these kernels are shared out for. */
export const USUAL_SUBGROUP = 32;

export interface Binding {
  slot: number;
  resource: GPUBuffer | Range;
  access: Access;
}

export interface KernelSpec {
  label: string;
  /** WGSL texts, joined after the constants. */
  source: string[];
  constants: Constants;
  bindings: Binding[];
  /** `enable` and `requires` lines, which must come first in WGSL. */
  directives?: string;
  /** Workgroups in x, y, z for a pass over these rows. */
  workgroups: (rows: Rows) => [number, number, number];
}

/** A pipeline with its buffers: everything a dispatch needs, made once at load. */
export interface Kernel {
  label: string;
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  workgroups: (rows: Rows) => [number, number, number];
}

/** A shader that does not fit an adapter can fail at very many places. */
const MOST_ERROR_LINES = 6;

const LAYOUT_TYPES: Record<Access, GPUBufferBindingType> = {
  read: 'read-only-storage',
  write: 'storage',
  uniform: 'uniform',
};

/** Compiles kernels for one device; those with equal source share a pipeline. */
export class KernelCompiler {
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly device: GPUDevice;
  /** What subgroups of the device multiply at once, if they do. */
  readonly matrixUnit: MatrixUnit | null;

  constructor(device: GPUDevice, matrixUnit: MatrixUnit | null = null) {
    this.device = device;
    this.matrixUnit = matrixUnit;
  }

  async compile(spec: KernelSpec): Promise<Kernel> {
    const layout = this.device.createBindGroupLayout({
      label: spec.label,
      entries: spec.bindings.map(({ slot, access }) => ({
        binding: slot,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: LAYOUT_TYPES[access] },
      })),
    });
    const code = [spec.directives ?? '', constantsText(spec.constants), ...spec.source].join('\n');
    const key = spec.bindings.map(({ slot, access }) => slot + access).join() + code;
    let pipeline = this.pipelines.get(key);
    if (!pipeline) {
      pipeline = this.createPipeline(spec.label, code, layout);
      this.pipelines.set(key, pipeline);
    }
    const bindGroup = this.device.createBindGroup({
      label: spec.label,
      layout,
      entries: spec.bindings.map(({ slot, resource }) => ({
        binding: slot,
        resource: 'buffer' in resource ? resource : { buffer: resource },
      })),
    });
    return {
      label: spec.label,
      pipeline: await pipeline,
      bindGroup,
      workgroups: spec.workgroups,
    };
  }

  private async createPipeline(
    label: string,
    code: string,
    layout: GPUBindGroupLayout,
  ): Promise<GPUComputePipeline> {
    // The pipeline's rejection tells of a bad shader; the scope keeps it from being told twice.
    this.device.pushErrorScope('validation');
    const module = this.device.createShaderModule({ label, code });
    void this.device.popErrorScope();
    try {
      return await this.device.createComputePipelineAsync({
        label,
        layout: this.device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main' },
      });
    } catch (error) {
      const sourceLine = (line: number) => code.split('\n')[line - 1]?.trim() ?? '';
      const { messages } = await module.getCompilationInfo();
      const lines = messages.map(
        (m) => `[${m.type} at ${m.lineNum}:${m.linePos}] ${m.message}: ${sourceLine(m.lineNum)}`,
      );
      const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
      const { vendor, description } = this.device.adapterInfo;
      const why = [reason, ...lines].slice(0, MOST_ERROR_LINES).join('\n');
      const gpu = description || vendor;
      throw new Fault(say`Kernel ${label} does not compile on ${gpu}: ${why}`);
    }
  }
}

/** Records one dispatch for a pass over these rows; none where the kernel wants no workgroups. */
export function dispatch(pass: GPUComputePassEncoder, kernel: Kernel, rows: Rows): void {
  const workgroups = kernel.workgroups(rows);
  if (workgroups[0] === 0) return;
  pass.setPipeline(kernel.pipeline);
  pass.setBindGroup(0, kernel.bindGroup);
  pass.dispatchWorkgroups(...workgroups);
}

export const read = (slot: number, resource: GPUBuffer | Range): Binding => ({
  slot,
  resource,
  access: 'read',
});
export const write = (slot: number, resource: GPUBuffer | Range): Binding => ({
  slot,
  resource,
  access: 'write',
});
export const uniformStep = (slot: number, resource: GPUBuffer): Binding => ({
  slot,
  resource,
  access: 'uniform',
});

function constantsText(constants: Constants): string {
  return Object.entries(constants)
    .map(([name, value]) => {
      if (typeof value === 'boolean') return `const ${name} = ${value};`;
      if (typeof value === 'number') return `const ${name} = ${value}u;`;
      return `const ${name} = f32(${value.f32});`;
    })
    .join('\n');
}
