/**
 * Where no device has matrices of a subgroup: WGSL in which every lane makes its share of the sums by itself, from the
 * same places in workgroup memory. All of matmul_matrix.wgsl but the multiplication can so be seen to be right.
 */

const LANES_OF_SUMS = /* wgsl */ `
var<private> stand_in: u32;
fn multiply_add(tokens: u32, rows: u32, sums: Sums) -> Sums {
  let halves = bufferView<array<f16>>(&memory, 0);
  var result = sums;
  // Not known to the compiler, which would take minutes to unroll it all.
  let columns = select(MATRIX_K, 0u, step.count == 0u);
  for (var i = 0u; i < SUMS / SUBGROUP_LANES; i++) {
    let at = i * SUBGROUP_LANES + stand_in;
    let token = tokens + at / MATRIX_N * PITCH * 8u;
    let row = rows + at % MATRIX_N * PITCH * 8u;
    for (var k = 0u; k < columns; k++) { result[i] += f32(halves[token + k]) * f32(halves[row + k]); }
  }
  return result;
}
`;

const REPLACED: [RegExp, string][] = [
  [/enable chromium_experimental_subgroup_matrix;/, ''],
  [/diagnostic\(off, chromium\.\w+\);/, ''],
  [/alias (Tokens|WeightRows) = .*;/g, 'alias $1 = u32;'],
  [/alias Sums = .*;/, 'alias Sums = array<f32, MATRIX_M * MATRIX_N / SUBGROUP_LANES>;'],
  [/subgroupMatrixLoad<\w+, \w+>\(halves, (.*), PITCH \* 8u\)/g, '$1'],
  [/subgroupMatrixMultiplyAccumulate/g, 'multiply_add'],
  [
    /subgroupMatrixStore<row_major>\(meeting, (.*), sums, MATRIX_N\);/,
    'for (var s = 0u; s < SUMS / SUBGROUP_LANES; s++) { meeting[$1 + s * SUBGROUP_LANES + stand_in] = sums[s]; }',
  ],
  [/(fn main\([^{]*\{)/, '$1\n  stand_in = lane % SUBGROUP_LANES;'],
];

/** A device's shader modules that multiply matrices of a subgroup get the stand-in's text. */
export function standIn(device: GPUDevice): void {
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = ({ code, ...descriptor }) => {
    if (!code.includes('subgroup_matrix')) return create({ ...descriptor, code });
    // Beside another variable the matrices may lie where a GPU reads them wrong.
    if (code.match(/var<workgroup>/g)?.length !== 1) {
      throw new Error('Matrices must be all that is in workgroup memory.');
    }
    const text = REPLACED.reduce((text, [found, by]) => text.replace(found, by), code);
    return create({ ...descriptor, code: text + LANES_OF_SUMS });
  };
}
