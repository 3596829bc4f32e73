import type { LoadRequest } from '../src/protocol';

/** What the host asks a worker for when every setting has its default. */
export function loadRequest(modelDir: string, changes: Partial<LoadRequest> = {}): LoadRequest {
  return {
    modelDir,
    contextTokens: null,
    adapter: null,
    powerPreference: 'high-performance',
    precision: 'auto',
    cacheBytes: null,
    tuningFile: null,
    ...changes,
  };
}
