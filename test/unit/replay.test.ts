import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { tinyModel } from '../checkpoints';
import { Editor, loadOf } from '../faults/editor';
import { placesIn, Replay } from '../replay';

const FILE = 'src/host/suggest/place.ts';
const VISITS = 12;

describe('typing what is shown, with the worker', () => {
  let replay: Replay;
  let cancelled = 0;
  /** Completions that were cancelled while one typed what they write. */
  let lost = 0;
  before(async function () {
    this.timeout(120_000);
    const { dir, remove } = await tinyModel();
    const editor = new Editor();
    try {
      editor.relay.start(loadOf(dir));
      await editor.ready();
      replay = new Replay(editor.relay, { maxTokens: 16, confidence: 0 });
      const text = readFileSync(FILE, 'utf8');
      // So short that the prompt's left edge stays where it is.
      for (const one of placesIn(FILE, 'typescript', text, VISITS)) {
        const place = { ...one, before: one.before.slice(-80), after: '' };
        const shown = await replay.visit(place);
        cancelled = replay.completions.cancelled;
        await replay.typeAlong(place, shown.slice(0, 3));
        lost += replay.completions.cancelled - cancelled;
      }
    } finally {
      editor.close();
      await remove();
    }
  });

  it('answers from memory while the keys agree', () => {
    const keys = replay.steps.filter(({ after }) => after === 'agreed');
    const known = keys.filter(({ source }) => source === 'memory');
    assert.ok(keys.length >= 10 * VISITS, `${keys.length} keys`);
    assert.ok(known.length >= 0.98 * keys.length, `${known.length} of ${keys.length}`);
  });

  it('cancels no completion while one types what it writes', () => {
    const along = replay.steps.filter(({ after }) => after === 'along');
    const sources = along.map(({ source }) => source);
    // One that is finished when the key comes is answered from memory.
    const kept = sources.filter((source) => source === 'running' || source === 'memory');
    assert.ok(kept.length >= VISITS - 2, sources.join(' '));
    assert.ok(sources.includes('running'), sources.join(' '));
    // What was generated ahead at the visit's end may be under way.
    assert.ok(lost <= VISITS, `${lost} lost`);
  });

  it('reads anew little more than the key that was typed', () => {
    const fresh = replay.steps
      .filter(({ after }) => after === 'differed')
      .map((step) => step.freshTokens);
    assert.ok(Math.max(...fresh) <= 4, fresh.join(' '));
  });
});
