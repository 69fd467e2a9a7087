import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { RemoteError } from '../../src/base/remote-error.ts';
import { Secret } from '../../src/base/secret.ts';
import { httpCore } from '../../src/http/core.ts';
import { retailcrmSystems } from '../../src/systems/retailcrm/ask.ts';
import { retailcrmClient } from '../../src/systems/retailcrm/client.ts';
import type { RetailcrmOptions } from '../../src/systems/retailcrm/requests.ts';
import type { CallRecord } from '../../src/systems/retailcrm/write.ts';

export const KEY = 'key-4c1d7be0-never-shown';

interface Seen {
  method: string;
  path: string;
  params: URLSearchParams;
  /** A form's parameter with structure. */
  json(name: string): unknown;
  headers: Record<string, unknown>;
}
export type Answer = { status?: number; body: unknown; headers?: Record<string, string> };

const cleanUp: (() => void)[] = [];

export function closeAccounts(): void {
  for (const undo of cleanUp.splice(0)) undo();
}

/** An account whose answers the case gives; a text goes as a web page, everything else as JSON. */
export async function account(answer: (request: Seen, nth: number) => Answer, options: Partial<RetailcrmOptions> = {}) {
  const seen: Seen[] = [];
  const slept: number[] = [];
  const server = createServer(async (request, response) => {
    let form = '';
    for await (const chunk of request) form += String(chunk);
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const params = new URLSearchParams(request.method === 'GET' ? query : form);
    const json = (name: string): unknown => JSON.parse(params.get(name) ?? 'null');
    seen.push({ method: request.method ?? '', path, params, json, headers: request.headers });
    const { status = 200, body, headers } = answer(seen.at(-1) as Seen, seen.length);
    const isPage = typeof body === 'string';
    response.writeHead(status, { 'content-type': isPage ? 'text/html' : 'application/json', ...headers });
    response.end(isPage ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { signal } = new AbortController();
  const core = httpCore({ clock: systemClock, signal, userAgent: 'sdelka-test/1.0', retryDelayMs: 1 });
  cleanUp.push(
    () => core.close(),
    () => server.closeAllConnections(),
    () => server.close(),
  );
  const systems = retailcrmSystems(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, new Secret(KEY));
  const quick = { limit: { requests: 50, perMs: 10 } };
  const sleep = async (ms: number) => {
    slept.push(ms);
  };
  const given = { signal, sleep, site: 'main', zone: 'Asia/Almaty', ...options };
  const https = {
    api: core.for({ ...systems.api, ...quick }),
    telephony: core.for({ ...systems.telephony, ...quick }),
  };
  const paced = retailcrmClient({ api: core.for(systems.api), telephony: core.for(systems.telephony) }, given);
  return { client: retailcrmClient(https, given), paced, seen, slept };
}

export const ok = (body: Record<string, unknown>): Answer => ({ body: { success: true, ...body } });
export const no = (status: number, errorMsg: string, more: Record<string, unknown> = {}): Answer => ({
  status,
  body: { success: false, errorMsg, ...more },
});

export async function failure(work: Promise<unknown>): Promise<RemoteError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RemoteError);
  return error as RemoteError;
}

export const AT = new Date('2026-11-20T09:05:07.900Z');

export const call = (externalId: string): CallRecord => ({
  externalId,
  date: AT,
  type: 'in',
  phone: '375290000001',
  code: '201',
  result: 'no answer',
  duration: 0,
  durationWaiting: 25,
});
