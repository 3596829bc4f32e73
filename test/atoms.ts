/** What texts of code are cut and closed by: random tests of text put them together. */
export const ATOMS: readonly string[] = [
  ...['\n', '\t', '(', ')', '{', '}', '[', ']', '"', "'", '`', '\\', '"""', '/*', '*/'],
];
