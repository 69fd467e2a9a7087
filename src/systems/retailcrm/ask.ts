import { RemoteError } from '../../base/remote-error.ts';
import type { Schema } from '../../base/schema.ts';
import type { Secret } from '../../base/secret.ts';
import type { Gate, RequestOptions, SystemHttp, SystemOptions } from '../../http/core.ts';
import { CREDENTIALS, classifyRetailcrm, webPage } from './errors.ts';
import { isObject } from './schema.ts';

const SYSTEM = 'retailcrm';

/** Pauses before a request that came too fast is sent again; the vendor's examples wait a second. */
const BUSY_PAUSES_MS = [500, 1000, 2000, 4000];
const LONGEST_PAUSE_MS = 30_000;
const TIMEOUT_MS = 30_000;

/** Budgets that all processes of a database share, one for each of the two. */
export interface RetailGates {
  api: Gate;
  telephony: Gate;
}

/**
 * RetailCRM for `HttpCore.for`, twice, because paths that begin with `/telephony` are counted apart: 40 requests a second,
 * all others 10 (vendor's Go client, read 2026-11). Spaced evenly, since two bursts on either side of a second's edge
 * would be one to the server.
 */
export function retailcrmSystems(
  baseUrl: string,
  key: Secret,
  gates?: RetailGates,
  timeoutMs = TIMEOUT_MS,
): { api: SystemOptions; telephony: SystemOptions } {
  const common: SystemOptions = {
    system: SYSTEM,
    baseUrl,
    headers: { 'x-api-key': key.reveal(), accept: 'application/json' },
    timeoutMs,
    credentials: CREDENTIALS,
    classify: classifyRetailcrm,
  };
  return {
    api: { ...common, limit: { requests: 1, perMs: 110 }, ...(gates && { gate: gates.api }) },
    telephony: { ...common, limit: { requests: 1, perMs: 28 }, ...(gates && { gate: gates.telephony }) },
  };
}

export interface AskOptions {
  sleep(ms: number): Promise<void>;
  /** Aborted: a busy RetailCRM is not waited for. */
  signal: AbortSignal;
}

export type Ask = <T>(http: SystemHttp, request: RequestOptions<T>) => Promise<T>;

/** What all requests to RetailCRM have in common: refusals with status 200, web pages, and being too fast. */
export function asking(options: AskOptions): Ask {
  /** RetailCRM has answered as itself: a page that comes later is a passing trouble and no wrong address. */
  let known = false;

  async function once<T>(http: SystemHttp, request: RequestOptions<T>, seen: { retryAfterMs: number }): Promise<T> {
    let isPage = false;
    const onAnswer: RequestOptions<T>['onAnswer'] = ({ headers }) => {
      isPage = /html/i.test(headers['content-type'] ?? '');
      const seconds = Number(headers['retry-after']);
      seen.retryAfterMs = seconds > 0 ? seconds * 1000 : 0;
    };
    try {
      const answer = await http.request({ ...request, schema: successOf(request.schema), onAnswer });
      known = true;
      if ('value' in answer) return answer.value;
      throw classifyRetailcrm({ system: SYSTEM, route: request.route }, 200, answer.refusal);
    } catch (error) {
      const isWrong = isPage && !known && error instanceof RemoteError && error.code === 'REMOTE_ODD_ANSWER';
      throw isWrong ? webPage(error) : error;
    }
  }

  return async (http, request) => {
    for (let tries = 0; ; tries++) {
      const seen = { retryAfterMs: 0 };
      try {
        return await once(http, request, seen);
      } catch (error) {
        const pause = BUSY_PAUSES_MS[tries];
        const isBusy = error instanceof RemoteError && error.code === 'REMOTE_BUSY';
        if (!isBusy || pause === undefined || options.signal.aborted) throw error;
        await options.sleep(Math.min(Math.max(pause, seen.retryAfterMs), LONGEST_PAUSE_MS));
        if (options.signal.aborted) throw error;
      }
    }
  };
}

/** Every answer in good order says `success: true`; a refusal may come with 200 too (vendor's Python client's fixtures). */
function successOf<T>(schema: Schema<T>): Schema<{ value: T } | { refusal: unknown }> {
  return {
    parse: (input) => {
      if (isObject(input) && input.success === false) return { refusal: input };
      if (!isObject(input) || input.success !== true) throw new Error('success: expected true');
      return { value: schema.parse(input) };
    },
  };
}
