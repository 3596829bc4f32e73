/**
 * The WebGPU device: adapter choice, limits, features, Dawn flags, loss.
 * The one file that loads the native binding.
 */
import type { DeviceInfo, PowerPreference } from '../protocol';
import { Fault, join, say, type Sentence } from '../sentence';

export interface GpuOptions {
  /** Part of an adapter's name, to choose among several. */
  adapter?: string;
  /** Which of several GPUs to prefer; default 'high-performance'. */
  powerPreference?: PowerPreference;
  /** 'auto' uses subgroups where the device has them; 'off' never does. */
  subgroups?: 'auto' | 'off';
  /** For benchmarks: lets kernels be timed, in whole nanoseconds. */
  timestamps?: boolean;
}

/** Limits asked for by name, because WebGPU's defaults are lower than what devices have. */
const WANTED_LIMITS = [
  'maxBufferSize', // one weight matrix in one buffer
  'maxStorageBufferBindingSize', // and in one binding
  'maxComputeWorkgroupStorageSize', // more lanes for attention over wide heads
  'maxComputeInvocationsPerWorkgroup', // the likeliest of many logits
  'maxComputeWorkgroupSizeX',
  'maxStorageBuffersPerShaderStage', // all that a token's one dispatch reads
] as const;

/**
 * Dawn's checks of every index against its buffer cost a tenth of decoding and more, and what they
 * could catch is checked before it gets here: docs/SECURITY.md.
 *
 * Matrices of a subgroup (matrices.ts) are an experiment in Dawn, and on NVIDIA's Vulkan f16 is one. A device
 * that offers them is measured and checked before they are used (tuning.ts).
 */
const DAWN_FEATURES = ['disable_robustness', 'allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia'];

/** The features without which there are none. */
const MATRIX_FEATURES = ['shader-f16', 'chromium-experimental-subgroup-matrix'] as const;

/** What a subgroup multiplies at once: f16 [tokens][columns] by f16 [columns][rows], sums in f32. */
export interface MatrixUnit {
  tokens: number;
  rows: number;
  columns: number;
  /** Invocations of a subgroup. */
  lanes: number;
}

/** Lanes that matvec_software.wgsl lets share a load. */
const SMALLEST_SUBGROUP = 8;

/**
 * Dawn's entry objects. Held for the life of the process: once one is collected while its device
 * is in use, Dawn crashes (style.md C3).
 */
const instances: GPU[] = [];

/** An open device with what the engine must know about it. */
export class Gpu {
  readonly device: GPUDevice;
  readonly info: DeviceInfo;
  /** What its subgroups multiply at once, if they do. */
  readonly matrixUnit: MatrixUnit | null;
  /** Resolves with what to say when the device is lost, other than by `dispose`. */
  readonly lost: Promise<Fault>;

  private failure: string | null = null;
  private isDisposed = false;

  private constructor(device: GPUDevice, info: DeviceInfo, unit: MatrixUnit | null) {
    this.device = device;
    this.info = info;
    this.matrixUnit = unit;
    device.onuncapturederror = ({ error }) => (this.failure ??= error.message);
    this.lost = new Promise((resolve) => {
      void device.lost.then((loss) => {
        if (!this.isDisposed) resolve(new Fault(say`The GPU device was lost: ${loss.message}`));
      });
    });
  }

  /** Opens the best adapter, or the one asked for. Throws a sentence with a remedy when none. */
  static async open(options: GpuOptions = {}): Promise<Gpu> {
    const instance = await openDawn(options);
    const { powerPreference = 'high-performance' } = options;
    const adapter = await instance?.requestAdapter({ powerPreference });
    if (!instance || !adapter) {
      const missing = options.adapter
        ? say`No WebGPU adapter whose name contains "${options.adapter}" was found.`
        : say`No WebGPU adapter was found.`;
      throw new Fault(join(missing, driverRemedy(process.platform)));
    }
    const subgroups =
      options.subgroups !== 'off' &&
      adapter.features.has('subgroups') &&
      (adapter.info.subgroupMinSize ?? 0) >= SMALLEST_SUBGROUP &&
      instance.wgslLanguageFeatures.has('subgroup_id');
    const unit = subgroups ? matrixUnit(adapter) : null;
    const device = await adapter.requestDevice({
      label: 'lckv',
      requiredFeatures: [
        ...((unit ? MATRIX_FEATURES : []) as GPUFeatureName[]),
        ...(subgroups ? (['subgroups'] as const) : []),
        ...(options.timestamps ? (['timestamp-query'] as const) : []),
      ],
      requiredLimits: Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]])),
    });
    const { vendor, architecture, description } = adapter.info;
    const software =
      adapter.info.isFallbackAdapter || /llvmpipe|swiftshader|basic render/i.test(description);
    return new Gpu(device, { vendor, architecture, description, software, subgroups }, unit);
  }

  /** Throws the first error the device has reported outside any error scope. */
  assertHealthy(): void {
    if (this.failure) throw reported(this.failure);
  }

  dispose(): void {
    this.isDisposed = true;
    this.device.destroy();
  }
}

/** An error in the driver's words. */
export function reported(message: string): Fault {
  return new Fault(say`The GPU reported an error: ${message}`);
}

/** As the experimental feature of Dawn describes it. */
interface MatrixConfig {
  componentType: string;
  resultComponentType: string;
  M: number;
  N: number;
  K: number;
}

/** Of those that an adapter offers, the unit with the most multiply-adds for f16 with sums in f32; null: none. */
function matrixUnit({ features, info }: GPUAdapter): MatrixUnit | null {
  const { subgroupMinSize: least = 0, subgroupMaxSize: lanes = 0 } = info;
  if (MATRIX_FEATURES.some((name) => !features.has(name)) || least !== lanes) return null;
  const { subgroupMatrixConfigs = [] } = info as { subgroupMatrixConfigs?: Iterable<MatrixConfig> };
  const [best] = [...subgroupMatrixConfigs]
    .filter((one) => one.componentType === 'f16' && one.resultComponentType === 'f32')
    .sort((a, b) => b.M * b.N * b.K - a.M * a.N * a.K);
  return best ? { tokens: best.M, rows: best.N, columns: best.K, lanes } : null;
}

/** Dawn's entry object, or null when no adapter has the name asked for. */
async function openDawn({ adapter, timestamps }: GpuOptions): Promise<GPU | null> {
  const dawn = await import('webgpu').catch((error: unknown) => {
    throw new Fault(
      say`There is no WebGPU binding for ${process.platform}-${process.arch} here. Install the build of this extension for your platform.`,
      { cause: error },
    );
  });
  Object.assign(globalThis, dawn.globals);
  try {
    const instance = dawn.create([
      `enable-dawn-features=${DAWN_FEATURES.join()}`,
      ...(adapter ? [`adapter=${adapter}`] : []),
      ...(timestamps ? ['disable-dawn-features=timestamp_quantization'] : []),
    ]);
    instances.push(instance);
    return instance;
  } catch {
    return null; // Dawn's own words are about backends, whatever the reason
  }
}

/** What to install or update so that there is an adapter. */
export function driverRemedy(platform: string): Sentence {
  if (platform === 'linux') {
    return say`Install a Vulkan driver: your GPU vendor's, or Debian's ${'`mesa-vulkan-drivers`'}. Mesa 25.0 is known to work and 22.3, which Debian 12 has, is not; bookworm-backports has 25.0.`;
  }
  if (platform === 'win32') {
    return say`Update the graphics driver; Direct3D 12 or Vulkan 1.1 is needed.`;
  }
  if (platform === 'darwin') {
    return say`Update macOS, which holds the graphics driver; Metal is needed.`;
  }
  return say`There are packages of this extension for Linux, macOS and Windows.`;
}
