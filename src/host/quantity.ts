// Amounts as people read them.
import { t } from '@vscode/l10n';
import type { Progress } from '../hub/meter';

/** Bytes with a decimal unit, as '2.16 GB'. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  const text = unit === 0 ? String(value) : value.toPrecision(3);
  return `${text} ${units[unit]}`;
}

/** A time span, as '40 s', '3 min' or '2 h'; never less than it is. */
export function durationText(seconds: number): string {
  if (seconds <= 90) return `${Math.ceil(seconds)} s`;
  return seconds <= 5400 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}

/** How far a download is, as '1.20 GB of 2.16 GB, 34.0 MB/s, 29 s left'. */
export function progressText(progress: Progress): string {
  const { doneBytes, totalBytes, bytesPerSecond, secondsLeft } = progress;
  const done = t('{0} of {1}', bytesText(doneBytes), bytesText(totalBytes));
  if (bytesPerSecond === null || secondsLeft === null) return done;
  const speed = `${bytesText(Math.round(bytesPerSecond))}/s`;
  return `${done}, ${speed}, ${t('{0} left', durationText(secondsLeft))}`;
}
