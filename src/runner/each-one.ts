import { AppError } from '../base/errors.ts';

/**
 * Does the work for each item, in turn. What fails for one keeps back no other: `told` of at once, the first such failure is thrown
 * in the end. A defect ends it at once. An abort ends it as well: a query that is cut off throws what stopped us, which is no failure.
 */
export async function eachOne<T>(
  items: readonly T[],
  { signal, told }: { signal: AbortSignal; told?: (item: T, failure: AppError) => void },
  work: (item: T) => Promise<void>,
): Promise<void> {
  let failure: AppError | undefined;
  for (const item of items) {
    if (signal.aborted) break;
    try {
      await work(item);
    } catch (error) {
      if (signal.aborted && error === signal.reason) break;
      if (!(error instanceof AppError) || error.kind === 'bug') throw error;
      told?.(item, error);
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}
