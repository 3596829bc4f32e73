// Preloaded into a process: attempts to reach the network go to the file that LCKV_ATTEMPTS names.
import { appendFileSync } from 'node:fs';
import { trapNetwork } from './trap';

const file = process.env.LCKV_ATTEMPTS!;
appendFileSync(file, '{"what":"trapped"}\n');
trapNetwork((attempt) => appendFileSync(file, `${JSON.stringify(attempt)}\n`));
