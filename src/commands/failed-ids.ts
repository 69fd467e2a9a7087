import { AppError, ExitCode, usageError } from '../base/errors.ts';
import type { Tx } from '../state/database.ts';
import { type FailedRef, failedRefs } from '../state/retries.ts';

const MOST_LISTED = 20;

/** The ids of failed records as typed. */
export function parseIds(args: readonly string[]): number[] {
  const wrong = args.filter((arg) => !/^[1-9]\d{0,14}$/.test(arg));
  if (wrong.length > 0) throw usageError('An id is a whole number above 0', '`sdelka failed` lists the ids.');
  return [...new Set(args.map(Number))];
}

/** The records of these ids; where one is unknown, nothing is done, and the error (64) lists those that there are. */
export async function refsOf(tx: Tx, ids: readonly number[]): Promise<FailedRef[]> {
  const found = await failedRefs(tx, ids);
  const missing = ids.filter((id) => !found.some((ref) => ref.id === id));
  if (missing.length === 0) return found;
  const known = await failedRefs(tx, 'all');
  const listed = known.slice(0, MOST_LISTED).map(({ id, kind, key }) => `${id}: ${kind} ${key}`);
  throw new AppError({
    code: 'USAGE',
    kind: 'operator',
    exit: ExitCode.Usage,
    message: `There is no failed record ${missing.join(', ')}; nothing was changed`,
    hint:
      known.length === 0
        ? 'No record fails at present; one that got well leaves the list.'
        : `Those that there are${known.length > MOST_LISTED ? ` (the first ${MOST_LISTED} of ${known.length})` : ''} are listed; \`sdelka failed\` tells more.`,
    faults: listed,
  });
}
