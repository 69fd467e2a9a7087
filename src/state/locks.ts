import { setTimeout as delay } from 'node:timers/promises';
import { AppError, ExitCode } from '../base/errors.ts';
import type { LockOptions } from './database.ts';

/** Pause between two looks at a lock that is held. */
const POLL_MS = 100;

/** The lock's name as part of a file name: `kaspi:poll` → `kaspi-poll`. */
export function lockSlug(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]+/g, '-');
}

/** Thrown by `ping()`: what the lock guarded may be in another process's hands by now, so that the run has to end. */
export function lockLost(name: string): AppError {
  return new AppError({
    code: 'LOCK_LOST',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `the lock "${name}" was lost while the run went on`,
    hint: 'Nothing is to be done: the next pass settles what was in hand. If it returns, look at the connection to the database.',
  });
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  // An aborted wait is not an error here: the caller is told "not had".
  await delay(POLL_MS, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}

/** Calls `attempt` until it gives a value, the waiting time is over, or the signal is aborted. Always looks at least once. */
export async function pollForLock<T>(
  attempt: () => Promise<T | undefined>,
  options: LockOptions = {},
): Promise<T | undefined> {
  // A monotonic clock, since the wall clock may be set while we wait.
  const deadline = performance.now() + (options.waitMs ?? 0);
  for (;;) {
    const had = await attempt();
    if (had !== undefined) return had;
    if (performance.now() >= deadline || options.signal?.aborted) return undefined;
    await pause(options.signal);
  }
}
