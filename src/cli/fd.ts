import { writeSync } from 'node:fs';
import { AppError, ExitCode } from '../base/errors.ts';

/** Writes text to a file descriptor, all of it before it returns. */
export interface FdWriter {
  write(text: string): void;
}

const FULL_PIPE_PAUSE_MS = 5;

/**
 * A writer without `process.stdout`: nothing is left in a buffer when the program exits, however slow the reader.
 * A reader that went away (`sdelka status | head -1`) is no failure of ours: the rest is dropped. A full disk under a
 * redirected stdout is an `AppError` (69).
 */
export function fdWriter(fd: number): FdWriter {
  let gone = false;
  return {
    write: (text) => {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length && !gone; ) {
        const written = writeSome(fd, bytes, at);
        gone = written === 'gone';
        at += written === 'gone' ? 0 : written;
      }
    },
  };
}

function writeSome(fd: number, bytes: Buffer, at: number): number | 'gone' {
  try {
    return writeSync(fd, bytes, at);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EAGAIN') {
      // A pipe that somebody made non-blocking is full; there is nothing else to do until its reader has read.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE_MS);
      return 0;
    }
    if (code === 'EPIPE') {
      return 'gone';
    }
    throw new AppError({
      code: 'OUTPUT_FAILED',
      kind: 'transient',
      exit: ExitCode.Unavailable,
      message: `The output cannot be written (${code ?? 'unknown reason'})`,
      hint: 'Look for a full disk or a closed stream where stdout or stderr is redirected to.',
    });
  }
}
