import type { SandboxAnswer } from '../kit.ts';
import { html } from './answers.ts';
import type { World } from './world.ts';

/** The account's patience: 429 first, and for who goes on regardless 403 on every route. */
export interface Limiter {
  /** The 403 page while the account is blocked, whatever the route. */
  blocked(): SandboxAnswer | undefined;
  /** Counts a request of this token; the refusal where it came too soon. Refused requests take no place in the window. */
  admit(token: string): SandboxAnswer | undefined;
  refusals(): { tooMany: number; blocked: number };
  /** What the vendor's support does on request. */
  unblock(): void;
}

const WINDOW_MS = 1000;

export function limiter(world: World): Limiter {
  const windows = new Map<string, number[]>();
  let accountWindow: number[] = [];
  let violations = 0;
  let blockedUntil = 0;
  const count = { tooMany: 0, blocked: 0 };

  function admit(token: string): SandboxAnswer | undefined {
    const { rps, accountRps, blockAfter, blockMs } = world.options;
    if (rps === 0) return undefined;
    const now = world.nowMs();
    const fresh = (at: number) => at > now - WINDOW_MS;
    const own = (windows.get(token) ?? []).filter(fresh);
    accountWindow = accountWindow.filter(fresh);
    if (own.length < rps && accountWindow.length < accountRps) {
      own.push(now);
      accountWindow.push(now);
      windows.set(token, own);
      return undefined;
    }
    count.tooMany += 1;
    violations += 1;
    if (violations > blockAfter) {
      blockedUntil = now + blockMs;
      violations = 0;
    }
    return html(429, 'Too Many Requests');
  }

  return {
    admit,
    blocked: () => {
      if (world.nowMs() >= blockedUntil) return undefined;
      count.blocked += 1;
      return html(403, 'Forbidden');
    },
    refusals: () => ({ ...count }),
    unblock: () => {
      blockedUntil = 0;
      violations = 0;
    },
  };
}
