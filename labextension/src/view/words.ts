/** Figures and names as people read them. */
import type { Step } from './shapes';

export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.floor(seconds);
  const minutes = Math.floor(whole / 60);
  const pad = (n: number): string => String(n).padStart(2, '0');
  return minutes < 60
    ? `${minutes} min ${pad(whole % 60)} s`
    : `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** "1 row", "1,200 rows". */
export function counted(count: number, one: string): string {
  return `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`;
}

/**
 * How long a step took, or takes so far; `''` where that is unknown.
 *
 * @param nowMs milliseconds after the run began; null: nothing ticks
 */
export function timeOf({ start, end, state }: Step, nowMs: number | null): string {
  const until = end ?? (state === 'running' ? nowMs : null);
  return start === undefined || until === null ? '' : duration(until - start);
}

export const nameOf = (step: Step): string => step.name ?? step.path;
