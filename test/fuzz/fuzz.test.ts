/**
 * Wrong input of every kind: no crash, no hang, bounded memory. An input may be refused, but in our
 * own words. The same seed gives the same inputs; LCKV_FUZZ_SECONDS makes it go on with new ones.
 */
import { strict as assert } from 'node:assert';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../src/engine/sample';
import { Fault } from '../../src/sentence';
import { tinyModel } from '../checkpoints';
import { targets, type Target } from './targets';

/** Of the processor's time, since other work may share it. */
const LONGEST_MS = 1000;
/** All inputs together may raise the peak of the process's memory by this much. */
const MOST_BYTES = 512 * 2 ** 20;

const seconds = Number(process.env.LCKV_FUZZ_SECONDS ?? 0);
const firstSeed = Number(process.env.LCKV_SEED ?? 1);

describe('fuzz', function () {
  this.timeout(120_000 + seconds * 1000);
  let dir: string;
  let remove: () => Promise<void>;
  let all: Target[];
  let inputs = 0;
  const beforeBytes = process.resourceUsage().maxRSS * 1024;

  before(async () => {
    ({ dir, remove } = await tinyModel());
    mkdirSync(join(dir, 'parts'));
    for (const name of ['config.json', 'tokenizer.json'])
      cpSync(join(dir, name), join(dir, 'parts', name));
    cpSync(join(dir, 'model.safetensors'), join(dir, 'parts', 'part.safetensors'));
    all = await targets(dir);
  });
  after(() => remove());

  /** One input. Seeds follow one another, so a failure is repeated with LCKV_SEED and its target. */
  async function attempt({ name, run }: Target, seed: number): Promise<void> {
    inputs++;
    const before = process.cpuUsage();
    try {
      await run(seededRandom(seed));
    } catch (error) {
      const isOurs = error instanceof Fault;
      assert.ok(isOurs, `${name}, LCKV_SEED=${seed}: ${(error as Error).stack ?? String(error)}`);
    }
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1000;
    assert.ok(ms < LONGEST_MS, `${name}, LCKV_SEED=${seed}: took ${Math.round(ms)} ms`);
  }

  it('takes wrong input of every kind', async () => {
    const end = performance.now() + seconds * 1000;
    for (let round = 0; round === 0 || performance.now() < end; round++)
      for (const target of all) {
        const begin = performance.now();
        const first = firstSeed + round * target.count;
        for (let seed = first; seed < first + target.count; seed++) await attempt(target, seed);
        const ms = performance.now() - begin;
        if (round === 0)
          process.stdout.write(`      ${target.count} × ${target.name}: ${Math.round(ms)} ms\n`);
      }
    assert.ok(inputs >= 200_000, String(inputs));
  });

  it('takes no more memory than it may', () => {
    const grownBytes = process.resourceUsage().maxRSS * 1024 - beforeBytes;
    assert.ok(grownBytes < MOST_BYTES, `${Math.round(grownBytes / 2 ** 20)} MiB`);
  });
});
