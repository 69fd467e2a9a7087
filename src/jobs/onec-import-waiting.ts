import type { OnecJobContext } from './onec-reading.ts';

const FACT = 'onec:import:seen-waiting';

/**
 * Deals that were read while nothing could be made of them: their document was on its way, or an export was still making the deal
 * itself. By the time that is settled their last change may have left the window, so that they are read once more then.
 */
export function waitingDeals({ clients }: OnecJobContext) {
  /** Those of this pass that still wait. */
  const waiting = new Set<number>();

  async function kept(): Promise<number[]> {
    const text = await (await clients.amocrm()).memory.fact(FACT);
    return text === undefined ? [] : (JSON.parse(text) as number[]);
  }

  async function keep(dealIds: readonly number[]): Promise<void> {
    await (await clients.amocrm()).memory.setFact(FACT, JSON.stringify(dealIds));
  }

  return {
    /** Before anything is stored of the page: a pass that is cut short must not forget them. */
    add: async (dealIds: readonly number[]): Promise<void> => {
      for (const dealId of dealIds) waiting.add(dealId);
      if (dealIds.length === 0) return;
      const known = await kept();
      const all = new Set([...known, ...dealIds]);
      if (all.size > known.length) await keep([...all]);
    },
    kept,
    /** Once all that are kept have been read in this pass. */
    settle: async (): Promise<void> => {
      const known = await kept();
      const left = known.filter((dealId) => waiting.has(dealId));
      if (left.length < known.length) await keep(left);
    },
  };
}

export type WaitingDeals = ReturnType<typeof waitingDeals>;
