import { defaultEnterprise } from '../../src/config/mapping-calls.ts';
import type { Enterprise } from '../../src/config/mapping-calls-types.ts';
import type { Call } from '../../src/domain/call.ts';
import type { CallRules } from '../../src/jobs/calls-plan.ts';

export const NOW = new Date('2026-11-22T12:00:00Z');
export const PHONE = '+375290000001';

export const enterprise: Enterprise = {
  ...defaultEnterprise(),
  extensions: new Map<string, string | number>([
    ['101', 'anna@example.com'],
    ['102', 25],
  ]),
};
export const rules: CallRules = {
  enterprise,
  country: 'BY',
  zone: 'Europe/Minsk',
  recordingsBase: 'https://rec.example/a',
};

/** A talk of an hour ago with 101 and then 102, unless told otherwise. */
export function call(more: Partial<Call> = {}): Call {
  const linkedid = more.linkedid ?? '1795345200.10';
  return {
    ...{ host: 'pbx1', linkedid, externalId: `pbx1:${linkedid}`, direction: 'in', phone: '80290000001' },
    ...{ firstExtension: '101', lastExtension: '102', answered: true, result: 'answered' },
    ...{ startedAt: new Date(+NOW - 3_600_000), endedAt: new Date(+NOW - 3_540_000) },
    ...{ waitSeconds: 10, talkSeconds: 50, did: '375170000001', closed: true, hash: 'h1' },
    ...more,
  };
}

export const missedCall = (more: Partial<Call> = {}) =>
  call({ answered: false, result: 'no answer', talkSeconds: 0, waitSeconds: 25, ...more });
