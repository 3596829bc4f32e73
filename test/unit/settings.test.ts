import { strict as assert } from 'node:assert';
import { readManifest } from '../manifest';
import { readSettings, SETTINGS } from '../../src/host/settings';

/** The part of a manifest's setting that the table repeats. */
interface Property {
  type: string;
  default: unknown;
  minimum?: number;
  maximum?: number;
  enum?: unknown[];
  markdownEnumDescriptions?: string[];
  markdownDescription?: string;
}

interface Manifest {
  contributes: { configuration: { properties: Record<string, Property> }[] };
}

const manifest = readManifest<Manifest>();
const properties: Record<string, Property> = {};
for (const group of manifest.contributes.configuration) Object.assign(properties, group.properties);

const defaults = readSettings(() => undefined);

describe('settings', () => {
  it('are those of the manifest', () => {
    const names = Object.keys(SETTINGS).map((name) => `lckv.${name}`);
    assert.deepEqual(Object.keys(properties).sort(), names.sort());
  });

  for (const [name, { schema }] of Object.entries(SETTINGS)) {
    it(`${name} has the manifest's type, default and bounds`, () => {
      const {
        type,
        default: standard,
        minimum,
        maximum,
        enum: values,
      } = properties[`lckv.${name}`];
      const told = { type, default: standard, minimum, maximum, enum: values };
      const known = { minimum: undefined, maximum: undefined, enum: undefined, ...schema };
      assert.deepEqual(told, known);
    });

    it(`${name} is described`, () => {
      const property = properties[`lckv.${name}`];
      assert.match(property.markdownDescription ?? '', /\w+.*\.$/s);
      assert.equal(property.markdownEnumDescriptions?.length, property.enum?.length);
    });
  }

  it('fall back to the default on a value of the wrong type', () => {
    for (const wrong of [null, {}, [], NaN, () => 1, Symbol('x')])
      assert.deepEqual(
        readSettings(() => wrong),
        defaults,
      );
  });

  it('take right values, and the nearest one of numbers out of bounds', () => {
    const read = (values: Record<string, unknown>) => readSettings((name) => values[name]);
    assert.equal(read({ enabled: false }).enabled, false);
    assert.equal(read({ extent: 'block' }).extent, 'block');
    assert.equal(read({ extent: 'page' }).extent, 'auto');
    assert.equal(read({ maxTokens: 0 }).maxTokens, 1);
    assert.equal(read({ maxTokens: 1e9 }).maxTokens, 512);
    assert.equal(read({ maxTokens: 12.6 }).maxTokens, 13);
    assert.equal(read({ maxTokens: '12' }).maxTokens, 64);
    assert.equal(read({ trigger: 'manual' }).trigger, 'manual');
    const languages = { markdown: true, python: false, rust: 'yes' };
    const { rust, ...flags } = read({ languages }).languages;
    assert.equal(rust, undefined);
    assert.deepEqual(flags, {
      '*': true,
      plaintext: false,
      markdown: true,
      scminput: false,
      python: false,
    });
    assert.equal(read({ model: '  ~/model ' }).model, '~/model');
    assert.equal(read({ model: ' ' }).model, 'bundled');
  });
});
