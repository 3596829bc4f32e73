// The info page with contents that a machine may have, for pages.mjs.
import { infoPage, type Info } from '../../src/host/views/infoPage';

const kvSources = Array.from({ length: 22 }, (_, i) => (i === 0 || i === 21 ? i : 20));
const full: Info = {
  status: 'LCKV completion: ready',
  model: {
    name: 'a model with a name <b>that is long</b> and must be broken somewhere',
    parameters: 1.1e9,
    layers: 22,
    kvLayers: 3,
    kvSources,
    contextTokens: 1280,
    kvBytesPerToken: 6144,
    standardKvBytesPerToken: 45056,
    weightBytes: 2.2e9,
    reduced: null,
    fillInTheMiddle: true,
    snippets: true,
  },
  device: {
    vendor: 'a vendor',
    architecture: 'an architecture',
    description: 'A graphics adapter with a long name (and its driver 1.2.3)',
    software: false,
    subgroups: true,
  },
  stats: {
    heldTokens: 812,
    contextTokens: 1280,
    warmPrompts: 7,
    warmBytes: 40e6,
    processBytes: 410e6,
  },
  history: Array.from({ length: 60 }, (_, i) => 20 + ((i * 37) % 45)),
  suggestions: [['Shown', 12]],
  benchmark: [['Decode', '90 tokens/s']],
};
const empty: Info = { status: 'LCKV completion: off', history: [], suggestions: [] };

/** The HTML of a page by its name; its files come from `origin`. */
export function pages(origin: string): Record<string, string> {
  const files = {
    style: `${origin}/info.css`,
    script: `${origin}/info.js`,
    source: origin,
    nonce: 'abc',
  };
  return { full: infoPage(files, 'en', full), empty: infoPage(files, 'en', empty) };
}
