import assert from 'node:assert/strict';
import { placements } from '../../src/engine/placement';
import type { TensorInfo } from '../../src/model/source';

const tensor = (name: string, sizeBytes: number): TensorInfo => ({
  name,
  dtype: 'F32',
  shape: [sizeBytes / 4],
  sizeBytes,
});
const TENSORS = [
  tensor('model.embed_tokens.weight', 400),
  tensor('model.layers.10.mlp.down_proj.weight', 100),
  tensor('model.layers.2.mlp.down_proj.weight', 100),
  tensor('model.layers.2.mlp.up_proj.weight', 60),
  tensor('model.norm.weight', 8),
  tensor('lm_head.weight', 400),
];
const names = (most: number) =>
  placements(TENSORS, ({ sizeBytes }) => sizeBytes, most).map(({ tensors, bytes }) => [
    bytes,
    ...tensors.map(({ name }) => name.replace(/model\.|\.weight/g, '')),
  ]);

describe('which weights lie in one buffer', () => {
  it('tables in one, consecutive layers in as few as possible, the last norm with the last layer', () => {
    assert.deepEqual(names(1000), [
      [800, 'embed_tokens', 'lm_head'],
      [268, 'layers.2.mlp.down_proj', 'layers.2.mlp.up_proj', 'layers.10.mlp.down_proj', 'norm'],
    ]);
    assert.deepEqual(names(200).slice(1), [
      [160, 'layers.2.mlp.down_proj', 'layers.2.mlp.up_proj'],
      [108, 'layers.10.mlp.down_proj', 'norm'],
    ]);
  });

  it('does not part the last norm from the last layer where the bound lies between them', () => {
    assert.deepEqual(names(264).slice(1), [
      [160, 'layers.2.mlp.down_proj', 'layers.2.mlp.up_proj'],
      [108, 'layers.10.mlp.down_proj', 'norm'],
    ]);
  });

  it('a layer stays whole, whatever it takes', () => {
    assert.deepEqual(names(120).slice(1), [
      [160, 'layers.2.mlp.down_proj', 'layers.2.mlp.up_proj'],
      [108, 'layers.10.mlp.down_proj', 'norm'],
    ]);
  });
});
