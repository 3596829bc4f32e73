import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint } from '../../src/model/checkpoint';
import { randomTensors, safetensors, tinyConfig, tinyModel, type TensorData } from '../checkpoints';

type Tensors = Record<string, TensorData>;

describe('checkpoint', () => {
  const removals: (() => Promise<void>)[] = [];
  const model = async (config?: object, tensors?: Tensors) => {
    const { dir, remove } = await tinyModel(config, tensors);
    removals.push(remove);
    return dir;
  };
  after(() => Promise.all(removals.map((remove) => remove())));

  const refused = async (dir: string, ...messages: RegExp[]) => {
    await assert.rejects(openCheckpoint(dir), (error: Error) => {
      for (const message of [...messages, new RegExp(dir)]) assert.match(error.message, message);
      return true;
    });
  };

  it('opens every golden checkpoint', async () => {
    for (const name of ['lckv-w2', 'lckv-w4-nodiag', 'lckv-w0', 'sandwich-middle', 'groups']) {
      const checkpoint = await openCheckpoint(`test/fixtures/goldens/${name}`);
      assert.equal(checkpoint.name, name);
      const embedding = checkpoint.info('model.embed_tokens.weight');
      assert.deepEqual(embedding.shape, [97, 64]);
      assert.equal((await checkpoint.read(embedding.name)).length, embedding.sizeBytes);
      await checkpoint.close();
    }
  });

  it('counts parameters and hides what the model does not use', async () => {
    const tensors = randomTensors(tinyConfig);
    const count = Object.values(tensors).reduce((sum, { data }) => sum + data.length / 4, 0);
    const extra = { dtype: 'I64', shape: [1], data: new Uint8Array(8) };
    const more = {
      'model.layers.1.self_attn.k_proj.weight': extra,
      'model.layers.1.self_attn.v_proj.weight': extra,
      'lm_head.weight': extra,
    };
    const checkpoint = await openCheckpoint(await model(tinyConfig, { ...tensors, ...more }));
    assert.equal(checkpoint.parameters, count);
    assert.equal(checkpoint.totalBytes, 4 * count);
    assert.ok(checkpoint.has('model.layers.0.self_attn.k_proj.weight'));
    for (const name of Object.keys(more)) {
      assert.ok(!checkpoint.has(name));
      assert.throws(() => checkpoint.info(name), /is not a tensor of this model/);
      await assert.rejects(checkpoint.read(name), /is not a tensor of this model/);
    }
    await checkpoint.close();
  });

  for (const missing of [
    'model.layers.2.self_attn.k_proj.weight',
    'model.layers.0.self_attn.v_proj.weight',
    'model.layers.1.mlp.down_proj.weight',
    'model.norm.weight',
  ]) {
    it(`refuses weights without ${missing}`, async () => {
      const tensors = randomTensors(tinyConfig);
      delete tensors[missing];
      await refused(
        await model(tinyConfig, tensors),
        new RegExp(missing),
        /found nothing, expected/,
      );
    });
  }

  it('needs lm_head unless the embeddings are tied', async () => {
    const tensors = randomTensors(tinyConfig);
    const untied = { ...tinyConfig, tie_word_embeddings: false };
    await refused(await model(untied, tensors), /lm_head.weight: found nothing/, /\[295,32\]/);
  });

  it('refuses a wrong shape', async () => {
    const tensors = randomTensors(tinyConfig);
    const name = 'model.layers.0.self_attn.k_proj.weight';
    const turned = { ...tensors[name], shape: [32, 16] };
    await refused(
      await model(tinyConfig, { ...tensors, [name]: turned }),
      /model\.safetensors: model\.layers\.0\.self_attn\.k_proj\.weight: shape/,
      /found \[32,16\], expected \[16,32\]/,
    );
  });

  it('refuses a dtype it cannot read', async () => {
    const tensors = randomTensors(tinyConfig);
    const wrong = { dtype: 'I32', shape: [32], data: new Uint8Array(128) };
    await refused(
      await model(tinyConfig, { ...tensors, 'model.norm.weight': wrong }),
      /model\.norm\.weight: dtype: found I32, expected F32 or F16 or BF16/,
    );
  });

  describe('with int8 weights', () => {
    const quantized = { ...tinyConfig, quantization: { format: 'int8-group', group_size: 32 } };
    const name = 'model.layers.0.mlp.down_proj.weight'; // [32, 64]
    const int8 = { dtype: 'I8', shape: [32, 64], data: new Uint8Array(32 * 64) };
    const scales = { dtype: 'F16', shape: [32, 2], data: new Uint8Array(128) };

    it('finds the scales', async () => {
      const tensors = { ...randomTensors(tinyConfig), [name]: int8, [`${name}_scale`]: scales };
      const checkpoint = await openCheckpoint(await model(quantized, tensors));
      assert.deepEqual(checkpoint.config.quantization, { groupSize: 32 });
      assert.equal(checkpoint.info(name).dtype, 'I8');
      assert.deepEqual(checkpoint.info(`${name}_scale`).shape, [32, 2]);
      await checkpoint.close();
    });

    it('refuses missing and wrong scales', async () => {
      const tensors = { ...randomTensors(tinyConfig), [name]: int8 };
      await refused(await model(quantized, tensors), /down_proj\.weight_scale: found nothing/);
      const wrong = { ...scales, shape: [64, 1] };
      await refused(
        await model(quantized, { ...tensors, [`${name}_scale`]: wrong }),
        /down_proj\.weight_scale: shape: found \[64,1\], expected \[32,2\]/,
      );
    });

    it('refuses int8 that config.json does not announce', async () => {
      const tensors = { ...randomTensors(tinyConfig), [name]: int8, [`${name}_scale`]: scales };
      await refused(
        await model(tinyConfig, tensors),
        /dtype: found I8, expected F32 or F16 or BF16/,
      );
    });
  });

  describe('in parts', () => {
    const parts = async (weightMap: (names: string[]) => object) => {
      const tensors = randomTensors(tinyConfig);
      const dir = await model(tinyConfig, tensors);
      await unlink(join(dir, 'model.safetensors'));
      const entries = Object.entries(tensors);
      const half = entries.length >> 1;
      for (const [part, from] of [entries.slice(0, half), entries.slice(half)].entries()) {
        await writeFile(
          join(dir, `part-${part}.safetensors`),
          safetensors(Object.fromEntries(from)),
        );
      }
      const index = { weight_map: weightMap(Object.keys(tensors)) };
      await writeFile(join(dir, 'model.safetensors.index.json'), JSON.stringify(index));
      return dir;
    };
    const honest = (names: string[]) =>
      Object.fromEntries(
        names.map((name, i) => [name, `part-${i < names.length >> 1 ? 0 : 1}.safetensors`]),
      );

    it('reads all of them', async () => {
      const checkpoint = await openCheckpoint(await parts(honest));
      assert.equal((await checkpoint.read('model.norm.weight')).length, 128);
      await checkpoint.close();
    });

    for (const name of ['../part-0.safetensors', '/etc/passwd', 'a\\b.safetensors', '..', 7]) {
      it(`refuses ${name} as the name of a part`, async () => {
        const dir = await parts((names) => ({ ...honest(names), [names[0]]: name }));
        await refused(dir, /weight_map: model\.embed_tokens\.weight: found/, /expected/);
      });
    }

    it('names a part that is missing', async () => {
      const dir = await parts(honest);
      await unlink(join(dir, 'part-1.safetensors'));
      await refused(dir, /part-1\.safetensors: cannot be read/, /ENOENT/);
    });
  });

  it('says what a model folder holds when something is missing', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'lckv-'));
    removals.push(() => rm(dir, { recursive: true }));
    await refused(dir, /config\.json: cannot be read/, /A model folder holds config\.json/);
    await cp('test/fixtures/goldens/cla/config.json', join(dir, 'config.json'));
    await refused(dir, /model\.safetensors: cannot be read/, /A model folder holds config\.json/);
    await writeFile(join(dir, 'config.json'), '{"model_type":');
    await refused(dir, /config\.json: not valid JSON/);
  });

  it('refuses a file that was cut', async () => {
    const dir = await model();
    const path = join(dir, 'model.safetensors');
    await writeFile(path, (await readFile(path)).subarray(0, 3000));
    await refused(dir, /model\.safetensors: .* found .* expected/);
  });
});
