/**
 * The command line: `node dist/lckv.mjs COMMAND`. Exit codes: 0 done, 1 failed, 2 not understood.
 */
import { complete } from './complete';
import { demo } from './demo';
import { info } from './info';
import { logits } from './logits';
import { trim } from './trim';
import { USAGE, UsageError } from './usage';

const commands = new Map<string, (args: string[]) => Promise<void>>([
  ['complete', complete],
  ['trim', trim],
  ['logits', logits],
  ['info', info],
  ['demo', demo],
]);

async function run([name, ...args]: string[]): Promise<number> {
  if (name === undefined || name === 'help' || args.includes('--help') || name === '--help') {
    console.log(USAGE);
    return name === undefined ? 2 : 0;
  }
  try {
    const command = commands.get(name);
    if (!command) throw new UsageError(`There is no command '${name}'.`);
    await command(args);
    return 0;
  } catch (error) {
    const misunderstood = error instanceof UsageError || isParseArgsError(error);
    console.error(`lckv: ${error instanceof Error ? error.message : String(error)}`);
    if (misunderstood) console.error('`lckv help` says what there is.');
    return misunderstood ? 2 : 1;
  }
}

function isParseArgsError(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('ERR_PARSE_ARGS')
  );
}

const code = await run(process.argv.slice(2));
// Dawn keeps Node alive, so the end must be said; but only when all is written.
process.stdout.write('', () => process.exit(code));
