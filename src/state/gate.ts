import type { Clock } from '../base/clock.ts';
import type { Database } from './database.ts';
import { relax, strike, takeSlot } from './rate.ts';

/** The budget of requests to a system, and its breaker, shared by all processes of the database. */
export function sharedGate(
  database: Database,
  system: string,
  perSecond: number,
  clock: Clock,
  breakerOpen: (system: string, until: Date) => Error,
) {
  return {
    take: async (signal: AbortSignal): Promise<void> => {
      const slot = await takeSlot(database, system, 1000 / perSecond, clock.now());
      if ('openUntil' in slot) throw breakerOpen(system, slot.openUntil);
      if (slot.waitMs > 0) await clock.sleep(slot.waitMs, signal);
    },
    strike: async (kind: 'rate' | 'blocked'): Promise<void> => {
      await strike(database, system, kind, clock.now());
    },
    relax: () => relax(database, system),
  };
}
