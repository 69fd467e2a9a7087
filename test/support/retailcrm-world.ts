import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import {
  RETAILCRM_SANDBOX_KEY,
  type RetailcrmOptions,
  type RetailcrmSeed,
  type RetailcrmStandin,
  retailcrmStandin,
} from '../../src/sandbox/retailcrm.ts';
import { atEachEnd } from './ends.ts';

const NOW = Date.parse('2026-09-14T06:00:00Z');
const USERS = [{ id: 24 }, { id: 25, active: false, status: 'busy' as const }];
const MODULE = { integrations: { telephony: { additionalCodes: [{ userId: 24, code: '201' }] } } };

interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the wire shape itself is under test
  json: any;
}

/** RetailCRM's stand-in on loopback with two users and a module, and ways to speak to it as a client does. */
interface RetailcrmWorld {
  crm: RetailcrmStandin;
  clock: { now: number; pace: number };
  get(path: string, query?: Record<string, string>, headers?: Record<string, string>): Promise<Answer>;
  /** Objects go as JSON in a field of the form. */
  post(path: string, fields: Record<string, unknown>): Promise<Answer>;
  raw(path: string, type: string, body: string): Promise<Answer>;
}

const open: RunningStandin[] = [];
atEachEnd('test', async () => {
  await Promise.all(open.splice(0).map((running) => running.close()));
});

export async function world(
  seed: RetailcrmSeed = {},
  options: Partial<RetailcrmOptions> = {},
): Promise<RetailcrmWorld> {
  const clock = { now: NOW, pace: 0 };
  const crm = retailcrmStandin({ now: () => clock.now, paceNow: () => clock.pace, rps: 0, ...options });
  crm.seed({ users: USERS, modules: { pbx: MODULE }, ...seed });
  const running = await serve(crm);
  open.push(running);
  const call = async (path: string, init: RequestInit): Promise<Answer> => {
    const at = path.startsWith('/') ? path : `/api/v5/${path}`;
    const response = await fetch(`${running.url}${at}`, {
      ...init,
      headers: { 'x-api-key': RETAILCRM_SANDBOX_KEY, ...(init.headers as Record<string, string>) },
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, json: text.startsWith('{') ? JSON.parse(text) : text };
  };
  const raw: RetailcrmWorld['raw'] = (path, type, body) =>
    call(path, { method: 'POST', headers: { 'content-type': type }, body });
  return {
    crm,
    clock,
    raw,
    get: (path, query = {}, headers = {}) => call(`${path}?${new URLSearchParams(query)}`, { headers }),
    post: (path, fields) => {
      const form = Object.entries(fields).map(([k, v]) => [k, typeof v === 'string' ? v : JSON.stringify(v)] as const);
      const body = new URLSearchParams(Object.fromEntries(form)).toString();
      return raw(path, 'application/x-www-form-urlencoded', body);
    },
  };
}

export const said = ({ status, json }: Answer) => `${status} ${json.errorMsg ?? json.success}`;
export const ids = (rows: { id: number }[]) => rows.map(({ id }) => id);
export const person = (number: string, more = {}) => ({ firstName: 'Анна', phones: [{ number }], ...more });
