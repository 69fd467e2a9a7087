import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { listenForStop } from '../../src/cli/signals.ts';

const warnings: Error[] = [];
const keep = (warning: Error) => void warnings.push(warning);

const before = new Set([...process.listeners('SIGINT'), ...process.listeners('SIGTERM')]);

afterEach(() => {
  process.off('warning', keep);
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    for (const listener of process.listeners(name)) if (!before.has(listener)) process.off(name, listener);
  }
});

test('dozens may wait for the stop at once, without a word on stderr', async () => {
  process.on('warning', keep);
  const { signal, exitCode } = listenForStop();
  const waiting = Array.from({ length: 50 }, () => systemClock.sleep(60_000, signal));
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
  process.emit('SIGTERM', 'SIGTERM');
  await Promise.all(waiting);
  expect(exitCode()).toBe(143);
});
