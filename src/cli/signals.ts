import { setMaxListeners } from 'node:events';
import { ExitCode } from '../base/errors.ts';

const exitCodes = { SIGINT: ExitCode.Interrupted, SIGTERM: ExitCode.Terminated } as const;
export type StopSignal = keyof typeof exitCodes;

export interface Stopping {
  signal: AbortSignal;
  /** The exit code that the signal asks for; undefined while none came. */
  exitCode(): ExitCode | undefined;
}

/**
 * The first SIGINT or SIGTERM asks the work to stop at the next safe point; the second ends the process at once, which the
 * state survives as it survives a power cut.
 */
export function listenForStop(): Stopping {
  const controller = new AbortController();
  // Each request and pause under way listens to it: Node's warning of a leak would be a line of the log that is no JSON.
  setMaxListeners(0, controller.signal);
  let received: StopSignal | undefined;
  const stop = (signal: StopSignal) => {
    if (received !== undefined) {
      process.exit(exitCodes[signal]);
    }
    received = signal;
    controller.abort(signal);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    signal: controller.signal,
    exitCode: () => (received === undefined ? undefined : exitCodes[received]),
  };
}
