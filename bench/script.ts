/** A person at work in a file: insertions, pauses, deletions, jumps and acceptances, seeded. */

/** What happens next; `wait` is the time until the event after it, in milliseconds. */
export interface Event {
  kind: 'type' | 'delete' | 'jump' | 'accept';
  wait: number;
}

/** Times between keys of a quick typist, and of a pause for thought. */
const KEY_MS = { least: 60, most: 200 };
const PAUSE_MS = 700;

/** A document with a cursor; what the file truly says after the cursor is `ahead`. */
export class Desk {
  before: string;
  after: string;
  private ahead: string;

  constructor(text: string, at: number) {
    [this.before, this.ahead, this.after] = opened(text, at);
  }

  /** Types the file's own next character. */
  type(): void {
    this.before += this.ahead.slice(0, 1) || '\n';
    this.ahead = this.ahead.slice(1);
  }

  delete(): void {
    this.ahead = this.before.slice(-1) + this.ahead;
    this.before = this.before.slice(0, -1);
  }

  /** Puts a suggestion in; what follows is then typed as if nothing had been suggested. */
  accept(text: string): void {
    this.before += text;
    this.ahead = this.ahead.slice(text.length);
  }

  jump(to: number): void {
    const text = this.before + this.ahead + this.after;
    [this.before, this.ahead, this.after] = opened(text, to % text.length);
  }
}

/** Events in the shares of an editing session: mostly keys, now and then something else. */
export function* events(count: number, random: () => number): Generator<Event> {
  for (let i = 0; i < count; i++) {
    const draw = random();
    const wait = KEY_MS.least + (KEY_MS.most - KEY_MS.least) * random();
    if (draw < 0.8) yield { kind: 'type', wait };
    else if (draw < 0.88) yield { kind: 'type', wait: PAUSE_MS };
    else if (draw < 0.93) yield { kind: 'delete', wait };
    else if (draw < 0.95) yield { kind: 'jump', wait: PAUSE_MS };
    else yield { kind: 'accept', wait: PAUSE_MS };
  }
}

/** Text up to a cursor, the rest of its line and two more to be typed, and what follows them. */
function opened(text: string, at: number): [string, string, string] {
  const end = text.split('\n', text.slice(0, at).split('\n').length + 2).join('\n').length;
  return [text.slice(0, at), text.slice(at, end), text.slice(end)];
}
