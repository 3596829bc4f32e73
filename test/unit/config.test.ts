import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseConfig } from '../../src/model/config';
import { layerGroups, parseLayerTypes } from '../../src/model/layers';

const base = {
  model_type: 'lckv-llama',
  vocab_size: 97,
  hidden_size: 64,
  intermediate_size: 100,
  num_hidden_layers: 8,
  num_attention_heads: 8,
  num_key_value_heads: 2,
};
const parse = (fields: object) => parseConfig({ ...base, ...fields }, 'dir/config.json');
const reads = (fields: object) =>
  parse(fields)
    .layers.map((layer) => layer.reads)
    .join('_');

describe('config', () => {
  it('reads every field', () => {
    const { layers, groups, ...rest } = parse({
      layer_types: '0_6_6s_6_6_6_6_7',
      head_dim: 16,
      rms_norm_eps: 1e-5,
      rope_theta: 5e5,
      max_position_embeddings: 4096,
      tie_word_embeddings: true,
      forward_passes: 3,
      backward_passes: 1,
      sliding_window: 100,
      bos_token_id: 1,
      eos_token_id: [2, 3],
    });
    assert.deepEqual(rest, {
      modelType: 'lckv-llama',
      vocabSize: 97,
      hiddenSize: 64,
      intermediateSize: 100,
      heads: 8,
      kvHeads: 2,
      headDim: 16,
      rmsNormEps: 1e-5,
      ropeTheta: 5e5,
      maxPositions: 4096,
      tieEmbeddings: true,
      trainedPasses: 4,
      bosToken: 1,
      eosTokens: [2, 3],
      quantization: null,
      shortcut: false,
      snippets: false,
    });
    assert.deepEqual(layers[0], { reads: 0, strict: false, window: null, computesKv: true });
    assert.deepEqual(layers[2], { reads: 6, strict: true, window: 100, computesKv: false });
    assert.deepEqual(layers[6], { reads: 6, strict: false, window: null, computesKv: true });
    assert.deepEqual(groups, [
      { first: 0, end: 1, cyclic: false, targets: [] },
      { first: 1, end: 7, cyclic: true, targets: [6] },
      { first: 7, end: 8, cyclic: false, targets: [] },
    ]);
  });

  it('takes the defaults of Llama and LCKV', () => {
    const config = parse({ num_key_value_heads: null, rope_scaling: null, head_dim: undefined });
    assert.equal(config.kvHeads, 8);
    assert.equal(config.headDim, 8);
    assert.equal(config.rmsNormEps, 1e-6);
    assert.equal(config.ropeTheta, 10_000);
    assert.equal(config.maxPositions, 2048);
    assert.equal(config.tieEmbeddings, false);
    assert.equal(config.trainedPasses, 9);
    assert.equal(config.bosToken, 1);
    assert.deepEqual(config.eosTokens, [2]);
    assert.equal(reads({}), '0_1_2_3_4_5_6_7');
    assert.equal(parse({ layer_types: '0_1_2_3s_4_5_6_7' }).layers[3].window, 4096);
    assert.deepEqual(parse({ bos_token_id: null, eos_token_id: null }).eosTokens, []);
    assert.equal(parse({ bos_token_id: null }).bosToken, null);
  });

  it('makes every layer strict with force_nodiag', () => {
    const strict = (fields: object) => parse(fields).layers.map((layer) => layer.strict);
    assert.deepEqual(strict({ force_nodiag: true }), Array(8).fill(true));
    assert.deepEqual(strict({ layer_types: '1_1_0_3_7_7_7_7' }), [
      ...[true, false, false, false],
      ...[true, true, true, false],
    ]);
  });

  it('reads the golden checkpoints', () => {
    for (const name of ['lckv-w2', 'lckv-w4-nodiag', 'lckv-w0', 'windows', 'cla', 'groups']) {
      const file = `test/fixtures/goldens/${name}/config.json`;
      const json = JSON.parse(readFileSync(file, 'utf8')) as { layer_types: string };
      const config = parseConfig(json, file);
      const types = config.layers.map(({ reads, window }) => `${reads}${window ? 's' : ''}`);
      assert.equal(types.join('_'), json.layer_types);
    }
  });

  it('groups layers as the reference does', () => {
    const groups = (layerTypes: string) => {
      const types = parseLayerTypes(layerTypes, layerTypes.split('_').length);
      return layerGroups(types.map((type) => type.reads))
        .map(({ first, end, cyclic }) => `${first}-${end - 1}${cyclic ? '*' : ''}`)
        .join(' ');
    };
    // Each right-hand side is what iteration_groups of lckv_ref.py returns.
    assert.equal(groups('0_1_2_3'), '0-3');
    assert.equal(groups('0_3_3_3_6_6_6_7'), '0-0 1-3* 4-6* 7-7');
    assert.equal(groups('7_7_7_7_7_7_7_7'), '0-7*');
    assert.equal(groups('0_4_4_4_4_4_4_7'), '0-0 1-4* 5-7');
    assert.equal(groups('1_2s_0_3_6s_4_6_5s'), '0-2* 3-3 4-6* 7-7');
    assert.equal(groups('2_5_0_3_4_5'), '0-5*');
    assert.equal(groups('0_0_2_2_4_4_6_6'), '0-7');
  });

  it('reads plain Llama, whatever its layer_types say', () => {
    const config = parse({ model_type: 'llama', layer_types: ['full_attention'] });
    assert.equal(config.layers.map((layer) => layer.reads).join('_'), '0_1_2_3_4_5_6_7');
    assert.equal(config.trainedPasses, 1);
    assert.ok(config.layers.every((layer) => layer.computesKv && !layer.strict));
  });

  it('converts opt-llama', () => {
    const opt = { model_type: 'opt-llama', layer_types: '0_1_1_1_1_1_2_0', target_layer: -2 };
    assert.equal(reads(opt), '0_6_6_6_6_6_6_7');
    const config = parse({ ...opt, num_encoders: 10, num_trained_encoders: 2 });
    assert.equal(config.trainedPasses, 11);
    assert.ok(config.layers.every((layer) => layer.strict));
    assert.equal(parse(opt).trainedPasses, 9);
    assert.equal(
      reads({ ...opt, layer_types: '0_1_1_2_1_1_0_0', target_layer: 3 }),
      '0_3_3_3_3_3_6_7',
    );
    assert.equal(reads({ model_type: 'opt-llama', num_warmup_layers: 2 }), '0_1_7_7_7_7_7_7');
    assert.equal(reads({ model_type: 'opt-llama' }), '0_1_2_3_4_5_6_7');
    assert.throws(() => reads({ ...opt, target_layer: -1 }), /entry 6 is 2 .* names layer 7/);
    assert.throws(() => reads({ ...opt, layer_types: '0_6_6_6_6_6_6_7' }), /expected 0, 1 or 2/);
  });

  it('converts cla-llama and group-opt-llama', () => {
    const cla = (layer_types: string) => reads({ model_type: 'cla-llama', layer_types });
    assert.equal(cla('2_1_2_1_0_1_1_2'), '0_0_2_2_4_4_4_7');
    assert.throws(() => cla('1_2_2_1_0_1_1_2'), /layer_types: .*entry 0 is 1/);
    const group = { model_type: 'group-opt-llama', layer_types: '0_3_3_3_6_6_6_7' };
    assert.equal(reads(group), '0_3_3_3_6_6_6_7');
    assert.ok(parse(group).layers[0].strict);
  });

  it('reads int8 quantisation', () => {
    const quantization = { format: 'int8-group', group_size: 32 };
    const sizes = { intermediate_size: 128 };
    assert.deepEqual(parse({ quantization, ...sizes }).quantization, { groupSize: 32 });
    assert.throws(
      () => parse({ quantization }),
      /intermediate_size: found 100, expected a multiple/,
    );
    assert.throws(
      () => parse({ quantization: { ...quantization, group_size: 64 }, ...sizes }),
      /quantization: group_size: found 64, expected a whole number from 32 to 32/,
    );
    assert.throws(
      () => parse({ quantization: { format: 'gptq' }, ...sizes }),
      /quantization: format: found "gptq", expected "int8-group"/,
    );
    assert.throws(() => parse({ quantization_config: {} }), /quantization_config: found {}/);
  });

  it('reads whether passes begin with a guess, which one target alone can have', () => {
    assert.equal(parse({ layer_types: '0_6_6_6_6_6_6_7', lckv_shortcut: true }).shortcut, true);
    assert.throws(
      () => parse({ layer_types: '0_5_6_6_6_6_6_7', lckv_shortcut: true }),
      /lckv_shortcut: found true, expected false. Layers that read from above/,
    );
  });

  it('reads whether the model was trained with snippets', () => {
    assert.equal(parse({ lckv_prompt: { snippets: true } }).snippets, true);
    assert.equal(parse({ lckv_prompt: {} }).snippets, false);
    assert.throws(
      () => parse({ lckv_prompt: { snippets: 'yes' } }),
      /lckv_prompt: snippets: found "yes", expected true or false/,
    );
  });

  const bad: [object, RegExp][] = [
    [{ model_type: 'gpt2' }, /model_type: found "gpt2", expected one of lckv-llama, llama, opt-/],
    [{ model_type: undefined }, /model_type: found nothing, expected a string/],
    [{ layer_types: '0_1_2' }, /layer_types: found "0_1_2".*3 entries, expected 8/],
    [{ layer_types: '0_1_2_3_4_5_6_8' }, /layer_types: .*entry 7 is '8'.* from 0 to 7/],
    [{ layer_types: '0_1_2_3_4_5_6_7t' }, /layer_types: .*entry 7 is '7t'/],
    [{ layer_types: '0_1__3_4_5_6_7' }, /layer_types: .*entry 2 is ''/],
    [{ layer_types: '0_1_-2_3_4_5_6_7' }, /layer_types: .*entry 2 is '-2'/],
    [{ layer_types: '0_1_2_3_4_5_6_99999999999' }, /layer_types: .*entry 7/],
    [{ layer_types: '' }, /layer_types: .*1 entries, expected 8/],
    [{ layer_types: [0, 1] }, /layer_types: found \[0,1\], expected a string/],
    [{ vocab_size: 2_000_000 }, /vocab_size: found 2000000, expected .* to 1000000/],
    [{ vocab_size: '97' }, /vocab_size: found "97", expected a whole number/],
    [{ hidden_size: 1e9 }, /hidden_size: found 1000000000, expected .* to 65536/],
    [{ hidden_size: 64.5 }, /hidden_size: found 64.5/],
    [{ hidden_size: null }, /hidden_size: found null/],
    [{ intermediate_size: -1 }, /intermediate_size: found -1/],
    [{ num_hidden_layers: 5000 }, /num_hidden_layers: found 5000, expected .* to 1024/],
    [{ num_hidden_layers: 0 }, /num_hidden_layers: found 0/],
    [{ num_attention_heads: 1e6 }, /num_attention_heads: found 1000000/],
    [{ num_attention_heads: 1024, head_dim: 1024 }, /head_dim: found 1024, expected at most 65536/],
    [{ num_key_value_heads: 3 }, /num_key_value_heads: found 3, expected a divisor of .*\(8\)/],
    [{ num_key_value_heads: 16 }, /num_key_value_heads: found 16, expected .* from 1 to 8/],
    [{ head_dim: 12 }, /head_dim: found 12, expected a multiple of 8/],
    [{ hidden_size: 72 }, /head_dim: found nothing, expected a multiple of 8. It comes to 9/],
    [{ hidden_size: 68 }, /head_dim: found nothing, expected a whole number/],
    [{ rms_norm_eps: 0 }, /rms_norm_eps: found 0, expected a number greater than 0/],
    [{ rope_theta: 'big' }, /rope_theta: found "big"/],
    [{ rope_scaling: { type: 'linear' } }, /rope_scaling: found {.*}, expected null/],
    [{ rope_parameters: { rope_type: 'yarn' } }, /rope_parameters: rope_type: found "yarn"/],
    [{ hidden_act: 'gelu' }, /hidden_act: found "gelu", expected "silu"/],
    [{ attention_bias: true }, /attention_bias: found true, expected false/],
    [{ mlp_bias: true }, /mlp_bias: found true, expected false/],
    [{ tie_word_embeddings: 'yes' }, /tie_word_embeddings: found "yes", expected true or false/],
    [{ eos_token_id: 97 }, /eos_token_id: found 97, expected token ids from 0 to 96/],
    [{ eos_token_id: [1, 'x'] }, /eos_token_id: found \[1,"x"\]/],
    [{ forward_passes: -1 }, /forward_passes: found -1/],
    [{ sliding_window: 0 }, /sliding_window: found 0/],
    [{ max_position_embeddings: 1e12 }, /max_position_embeddings: found 1000000000000/],
  ];
  for (const [fields, message] of bad) {
    it(`refuses ${JSON.stringify(fields)}`, () => {
      assert.throws(
        () => parse(fields),
        (error: Error) => {
          assert.match(error.message, message);
          assert.ok(error.message.startsWith('dir/config.json: '), 'the message names the file');
          return true;
        },
      );
    });
  }

  it('refuses what is no object', () => {
    assert.throws(() => parseConfig([], 'x'), /x: expected a JSON object, found \[\]/);
    assert.throws(() => parseConfig(null, 'x'), /found null/);
  });
});
