/** A person who works in many files for long, with the extension's suggester and no editor. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Desk, events, type Event } from '../../bench/script';
import { languageOf } from '../../src/cli/languages';
import { seededRandom } from '../../src/engine/sample';
import type { Outcome } from '../../src/host/suggest/outcome';
import type { Place } from '../../src/host/suggest/place';
import type { Suggester } from '../../src/host/suggest/suggester';

const FILES = 50;
/** Edits of one visit to a file; what they changed is then thrown away. */
const VISIT_EDITS = 80;
/** Of the waits between two keys, this share is waited: the soak types faster than people do. */
const HASTE = 0.04;
/** A wait of at least this many milliseconds is a pause for thought: there the answer is awaited. */
const PAUSE_MS = 300;

interface File {
  path: string;
  text: string;
}

/** Source files of this repository, the same ones for the same state. */
function sourceFiles(): File[] {
  const folders = ['src', 'test/unit', 'training', 'shaders', 'bench'];
  const paths = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|py|wgsl)$/.test(name))
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  );
  const files = paths.sort().map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  const fitting = files.filter(({ text }) => text.length > 1500 && text.length < 15_000);
  const step = Math.floor(fitting.length / FILES);
  return fitting.filter((_, i) => i % step === 0).slice(0, FILES);
}

/** Types, deletes, jumps and accepts; keeps how long answers took. */
export class Typist {
  /** Milliseconds from an edit to its answer, of those that were not overtaken by the next edit. */
  latencies: number[] = [];
  /** Milliseconds of processor time that the worker took for each of them, all threads together. */
  cpuTimes: number[] = [];
  readonly files = sourceFiles();
  private readonly suggester: Suggester;
  private readonly random = seededRandom(11);
  private question = new AbortController();
  private shown = '';
  private problem: string | undefined;
  private readonly cpuMs: () => number;

  /** `cpuMs`: what the worker has taken so far. */
  constructor(suggester: Suggester, cpuMs: () => number) {
    this.suggester = suggester;
    this.cpuMs = cpuMs;
  }

  /** Fills the bounded stores of tokenized words and lines, so that these grow no more. */
  async warmUp(): Promise<void> {
    const letter = () => String.fromCharCode(97 + Math.floor(this.random() * 26));
    const word = () => Array.from({ length: 5 }, letter).join('');
    for (let i = 0; i < 4; i++) {
      const text = Array.from({ length: 4000 }, word).join('\n');
      await this.suggester.prepare(
        placeOf({ path: 'words.ts', text }, new Desk(text, text.length)),
      );
    }
  }

  /** Makes one edit after another; yields after each, and never ends. */
  async *work(): AsyncGenerator<void> {
    for (;;) {
      const file = this.files[Math.floor(this.random() * this.files.length)];
      const desk = new Desk(file.text, Math.floor(this.random() * file.text.length));
      await this.suggester.prepare(placeOf(file, desk));
      for (const event of events(VISIT_EDITS, this.random)) {
        await this.edit(file, desk, event);
        if (this.problem) throw new Error(this.problem);
        yield;
      }
    }
  }

  private async edit(file: File, desk: Desk, { kind, wait }: Event): Promise<void> {
    if (kind === 'type') desk.type();
    else if (kind === 'delete') desk.delete();
    else if (kind === 'jump') desk.jump(Math.floor(this.random() * file.text.length));
    else desk.accept(this.shown);
    const place = placeOf(file, desk);
    this.suggester.typed(place);
    this.question.abort(); // as VS Code does at every key
    this.question = new AbortController();
    const answered = this.ask(place, kind, this.question.signal);
    if (wait >= PAUSE_MS || this.random() < 0.5) await answered;
    else await sleep(wait * HASTE);
  }

  private async ask(place: Place, kind: Event['kind'], cancel: AbortSignal): Promise<void> {
    const begin = performance.now();
    const cpuBegin = this.cpuMs();
    const onlyMemory = kind === 'delete' ? ({ kind: 'deleted' } as const) : undefined;
    const outcome = await this.suggester.suggest(place, { isAutomatic: true, onlyMemory, cancel });
    this.note(outcome, performance.now() - begin, this.cpuMs() - cpuBegin);
  }

  private note(outcome: Outcome, elapsedMs: number, cpuMs: number): void {
    this.shown = outcome.kind === 'suggestion' ? outcome.trimmed.insert : '';
    const reason = outcome.kind === 'nothing' ? outcome.reason : undefined;
    if (reason?.kind === 'failed') this.problem = reason.message;
    if (reason?.kind === 'lost') this.problem = 'The worker was lost.';
    if (reason?.kind === 'superseded' || reason?.kind === 'deleted') return;
    this.latencies.push(elapsedMs);
    this.cpuTimes.push(cpuMs);
  }
}

function placeOf({ path }: File, { before, after }: Desk): Place {
  return { uri: `file:///${path}`, path, language: languageOf(path), before, after };
}
