/**
 * Loops written out in WGSL text: arrays whose index only the running program knows leave a GPU's registers, and a
 * compiler does not always see that it could know them (docs/LOG.md).
 */

/**
 * Text in which every line that holds a name of `times` is there once for each of its numbers, which takes the
 * name's place: `sum_EACH_ROW` becomes `sum_0u`, `sum_1u` and so on. A line with two names is there for each pair.
 */
export function unrolled(source: string, times: Readonly<Record<string, number>>): string {
  const lines = source.split('\n');
  const all = Object.entries(times).reduce(
    (before, [name, count]) =>
      before.flatMap((line) =>
        line.includes(name)
          ? Array.from({ length: count }, (_, i) => line.replaceAll(name, `${i}u`))
          : [line],
      ),
    lines,
  );
  return all.join('\n');
}
