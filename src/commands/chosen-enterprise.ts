import { usageError } from '../base/errors.ts';
import type { Enterprise } from '../config/mapping-calls-types.ts';

/** The enterprise that `--enterprise` names, or all of them where it was not given. */
export function oneOrAll<T extends { enterprise: Enterprise }>(parts: readonly T[], number: string | undefined): T[] {
  if (number === undefined) return [...parts];
  const found = parts.filter(({ enterprise }) => enterprise.number === number);
  if (found.length === 0) throw usageError(`there is no enterprise ${number}`, oneOf(parts));
  return found;
}

/** `--enterprise` may be left out where there is one alone. */
export function onlyOne<T extends { enterprise: Enterprise }>(parts: readonly T[], number: string | undefined): T {
  const [first, second] = oneOrAll(parts, number);
  if (first === undefined || second !== undefined) throw usageError('--enterprise is missing', oneOf(parts));
  return first;
}

function oneOf(parts: readonly { enterprise: Enterprise }[]): string {
  return `Name one of calls.enterprises: ${parts.map(({ enterprise }) => enterprise.number).join(', ')}.`;
}
