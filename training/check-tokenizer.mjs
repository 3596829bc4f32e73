// Compares the ids of @huggingface/tokenizers with those that Python wrote.
// usage: node check-tokenizer.mjs TOKENIZER.json CASES.json     (run where that package is installed)
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { Tokenizer } = createRequire(`${process.cwd()}/`)('@huggingface/tokenizers');
const [tokenizerPath, casesPath] = process.argv.slice(2);
const tokenizer = new Tokenizer(JSON.parse(readFileSync(tokenizerPath, 'utf8')), {});
const cases = JSON.parse(readFileSync(casesPath, 'utf8'));
let failed = 0;
for (const { text, ids } of cases) {
  const got = tokenizer.encode(text, { add_special_tokens: false }).ids;
  const back = ids.length ? tokenizer.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false }) : '';
  if (JSON.stringify(got) !== JSON.stringify(ids) || back !== text) {
    failed++;
    console.log('differs:', JSON.stringify(text), ids, got, JSON.stringify(back));
  }
}
console.log(`${cases.length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
