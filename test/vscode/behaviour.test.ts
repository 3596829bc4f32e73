// When suggestions come and when not, and what becomes of a generation while someone types.
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';
import { accept, activate, open, python, reach, run, settings, trigger, until } from './editor';

const { Global } = vscode.ConfigurationTarget;
let api: Api;

/** Why there was no suggestion, or that there was one. */
const last = () => {
  const outcome = api.lastAnswer()?.outcome;
  return outcome?.kind === 'nothing' ? outcome.reason.kind : outcome?.kind;
};

/** Runs a command that makes VS Code ask by itself, and waits for this answer. */
async function answer(expected: string, command: string, argument?: unknown): Promise<void> {
  const before = api.lastAnswer();
  await run(command, argument);
  const came = () => api.lastAnswer() !== before && last() === expected;
  await until(came, `"${expected}"`, 30_000);
}

const type = (text: string) => run('type', { text });

describe('LCKV while someone types', () => {
  before(async () => {
    api = await activate();
  });

  afterEach(async () => {
    for (const name of ['languages', 'scopes', 'trigger', 'maxTokens', 'choices'])
      if (settings().inspect(name)?.globalValue !== undefined)
        await settings().update(name, undefined, Global);
    await run('lckv.resume');
    await run('workbench.action.closeAllEditors');
  });

  it('goes on with a generation that writes what is typed', async () => {
    await settings().update('maxTokens', 40, Global);
    const text = await accept(await python('type along'));
    assert.ok(text.length >= 5, JSON.stringify(text));
    await python('type along');
    const { asked } = api.generations();
    // The command ends when its answer is there, and that must not be waited for.
    const triggered = run('editor.action.inlineSuggest.trigger');
    for (const character of text.slice(0, 4)) {
      await sleep(60);
      await type(character);
    }
    await triggered;
    const isTaken = () => {
      const outcome = api.lastAnswer()?.outcome;
      return outcome?.kind === 'suggestion' && outcome.source !== 'model';
    };
    await until(isTaken, 'a suggestion from the running generation');
    assert.equal(api.generations().asked, asked + 1);
  });

  it('asks the model for nothing after a deletion, unless by command', async () => {
    await python('delete');
    await type('z');
    await type('q');
    await until(() => api.status().kind === 'ready' && last() !== 'superseded', 'an answer');
    const { asked } = api.generations();
    await run('deleteLeft');
    await answer('deleted', 'deleteLeft');
    assert.equal(api.generations().asked, asked);
    await trigger();
    assert.notEqual(last(), 'deleted');
    assert.equal(api.generations().asked, asked + 1);
  });

  it('is silent in a language that is off, says so, and can be turned on there', async () => {
    await open({ language: 'markdown', content: '# Notes\n\nSome text' });
    await answer('language', 'type', { text: ' ' });
    assert.match(await run<string>('lckv.explain'), /completion is off for markdown/);
    await run('lckv.toggleLanguage');
    assert.equal(settings().get<Record<string, boolean>>('languages')!.markdown, true);
    await type('a');
    await until(() => last() !== 'language', 'a question');
  });

  it('comes only by command where the setting says so', async () => {
    await settings().update('trigger', 'manual', Global);
    await python('by hand');
    await answer('manual', 'type', { text: 'a' });
    await trigger();
    assert.notEqual(last(), 'manual');
  });

  it('comes only by command where the model is less sure than the setting says', async () => {
    await settings().update('confidence', 1, Global);
    await python('unsure');
    await answer('unsure', 'type', { text: 's' });
    await trigger();
    assert.equal(last(), 'suggestion');
    await settings().update('confidence', 0, Global);
  });

  it('pauses and resumes', async () => {
    await run('lckv.pause');
    await reach('paused');
    await python('paused');
    await answer('paused', 'type', { text: 'a' });
    await run('lckv.resume');
    await reach('ready');
  });

  it('is accepted by word and by line with the commands of VS Code', async () => {
    const whole = await accept(await python('in parts'));
    for (const part of ['Word', 'Line']) {
      const document = await python('in parts');
      const before = document.getText();
      for (let i = 0; i < 6 && document.getText() === before; i++) {
        await trigger();
        await run(`editor.action.inlineSuggest.acceptNext${part}`);
        await sleep(200);
      }
      const inserted = document.getText().slice(before.length);
      assert.ok(inserted !== '' && whole.startsWith(inserted), `${part}: ${inserted} of ${whole}`);
    }
  });

  it('offers other suggestions when one asks for the next', async () => {
    const first = await accept(await python('choices'));
    await settings().update('choices', 3, Global);
    const document = await python('choices');
    const before = document.getText();
    await trigger();
    await run('editor.action.inlineSuggest.showNext');
    const others = () => {
      const outcome = api.lastAnswer()?.outcome;
      return outcome?.kind === 'suggestion' ? outcome.others.map(({ insert }) => insert) : [];
    };
    await until(() => others().length > 0, 'other suggestions', 30_000);
    assert.equal(new Set([first, ...others()]).size, others().length + 1);
    await sleep(300);
    await run('editor.action.inlineSuggest.commit');
    await until(() => document.getText() !== before, 'an accepted one', 5000);
    const chosen = document.getText().slice(before.length);
    assert.ok([first, ...others()].includes(chosen), `${chosen} of ${others().join('|')}`);
  });

  it('goes on from memory after a word was accepted', async () => {
    const document = await python('word by word');
    const before = document.getText();
    await trigger();
    const { asked } = api.generations();
    await run('editor.action.inlineSuggest.acceptNextWord');
    await until(() => document.getText() !== before, 'a word', 5000);
    await trigger();
    const outcome = api.lastAnswer()?.outcome;
    if (outcome?.kind === 'suggestion') assert.equal(outcome.source, 'memory');
    assert.equal(api.generations().asked, asked);
  });

  it('reads the prompt of a document that gets the focus', async () => {
    const { prepared } = api.generations();
    await python(`read ahead ${'x = 1 '.repeat(20)}`);
    await until(() => api.generations().prepared > prepared, 'reading', 10_000);
    // It has been read when what the worker holds grows no more.
    for (let held = -1, now = 0; now !== held; now = (await api.workerStats())!.heldTokens) {
      held = now;
      await sleep(2000);
    }
    await trigger();
    const { reusedTokens, promptTokens } = api.lastTimings()!;
    assert.ok(reusedTokens / promptTokens > 0.8, `${reusedTokens} of ${promptTokens}`);
  });

  it('counts what was accepted', async () => {
    const before = api.summary()?.accepted ?? 0;
    assert.notEqual(await accept(await python('counted')), '');
    await until(() => api.summary()!.accepted === before + 1, 'the count', 5_000);
  });

  it('suggests in comments and strings only where lckv.scopes has them on', async () => {
    await settings().update('scopes', { comments: false, strings: false }, Global);
    await open({ language: 'python', content: 'def f():\n    # says' });
    await answer('scope', 'type', { text: ' ' });
    await open({ language: 'typescript', content: 'const s = "b' });
    const isString = async () => /off in strings\. .*lckv\.scopes/.test(await run('lckv.explain'));
    for (let i = 0; i < 40 && !(await isString()); i++) {
      await type('c');
      await sleep(500);
    }
    assert.ok(await isString(), await run('lckv.explain'));
    await settings().update('scopes', undefined, Global);
    await type('d');
    await until(() => last() !== 'scope', 'an answer of the model');
  });
});
