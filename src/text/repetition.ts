// Where a model has begun to say the same thing again and again.

/** How many times lines must come in a row to be a loop: by how many lines they are. */
const LINE_LOOPS = [
  { lines: 1, times: 3 },
  { lines: 2, times: 3 },
  { lines: 3, times: 3 },
  ...[4, 5, 6, 7, 8, 9, 10].map((lines) => ({ lines, times: 2 })),
];

/** The same for characters within a line, longest unit first. */
const CHARACTER_LOOPS = [/(.{10,60}?)\1{3,}.{0,60}$/, /(.{3,9}?)\1{11,}.{0,9}$/];

/** No loop of characters is looked for further back. */
const LONGEST = 1000;

/** The same at the end of a line that still grows. */
const GROWING_LOOP = /(.{10,60}?)\1{4}$|(.{3,9}?)\2{12}$/;
const LONGEST_GROWING = 300;

/** Ends the text after the first round of a loop, of lines or of characters. */
export function cutRepetition(text: string): string {
  return cutCharacterLoop(cutBlankLines(cutLineLoop(text)));
}

function cutLineLoop(text: string): string {
  const lines = text.split('\n');
  for (let start = 0; start < lines.length; start++) {
    for (const loop of LINE_LOOPS) {
      const unit = lines.slice(start, start + loop.lines);
      const length = loop.lines * loop.times;
      const isLoop =
        start + length <= lines.length &&
        unit.some((line) => /[a-z_]/i.test(line)) &&
        unit.every((line, i) => {
          for (let j = i + loop.lines; j < length; j += loop.lines)
            if (lines[start + j] !== line) return false;
          return true;
        });
      if (isLoop)
        return lines
          .slice(0, start + loop.lines)
          .join('\n')
          .trimEnd();
    }
  }
  return text;
}

/** The last of the lines are a round too many. */
export function endsInLoop(lines: readonly string[]): boolean {
  return LINE_LOOPS.some(({ lines: count, times }) => {
    const round = lines.slice(-count);
    const start = lines.length - count * times;
    if (start < 0 || !round.some((line) => /[a-z_]/i.test(line))) return false;
    return lines.slice(start).every((line, i) => line === round[i % count]);
  });
}

/** The line ends, while it is being written, as a loop of characters. */
export function endsInCharacterLoop(line: string): boolean {
  const loop = line.length < 39 ? null : GROWING_LOOP.exec(line.slice(-LONGEST_GROWING));
  return loop !== null && /[a-z_]/i.test(loop[0]);
}

/** Nobody leaves five lines blank in the middle of code. */
function cutBlankLines(text: string): string {
  const gap = /(?:^|\S)[ \t]*(?:\n[ \t]*){6,}/.exec(text);
  return gap ? text.slice(0, gap.index + 1).trimEnd() : text;
}

/** Only in the last line: a loop never finds the way to the next. */
function cutCharacterLoop(text: string): string {
  const from = Math.max(text.lastIndexOf('\n') + 1, text.length - LONGEST);
  for (const loop of CHARACTER_LOOPS) {
    const match = loop.exec(text.slice(from));
    if (match && /[a-z_]/i.test(match[1]))
      return text.slice(0, from + match.index + match[1].length).trimEnd();
  }
  return text;
}
