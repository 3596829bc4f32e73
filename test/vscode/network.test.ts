// The extension host, with the network trapped while the extension suggests.
import { strict as assert } from 'node:assert';
import { networkSockets, trapNetwork, type Attempt } from '../network/trap';
import { accept, activate, open, python, run, until } from './editor';

describe('LCKV and the network', () => {
  it('opens no connection to suggest, to generate and to show its page', async () => {
    const api = await activate();
    const attempts: Attempt[] = [];
    const release = trapNetwork((attempt) => attempts.push(attempt));
    try {
      await accept(await python('without a network'));
      await open({ language: 'typescript', content: 'const two = 1 +' });
      await run('lckv.generate', { instruction: 'add one' });
      await until(() => api.generated()?.phase === 'ready', 'generated code');
      await run('lckv.showInfo');
      if (process.platform === 'linux')
        assert.deepEqual(networkSockets(api.workerPid()!), [], 'sockets of the worker');
      // The trap works in this process too.
      assert.throws(() => void fetch('http://127.0.0.1:9/'), /fetch was called/);
    } finally {
      release();
      await run('lckv.rejectGenerated');
      await run('workbench.action.closeAllEditors');
    }
    const [own, ...others] = attempts.toReversed();
    assert.equal(own.what, 'globalThis.fetch');
    const ofExtension = others.filter(({ stack }) => /dist[\\/]extension\.js/.test(stack));
    assert.deepEqual(ofExtension, []);
  });
});
