import http from 'node:http';
import https from 'node:https';
import got, { RequestError, TimeoutError } from 'got';
import pRetry from 'p-retry';
import pThrottle from 'p-throttle';
import type { Clock } from '../base/clock.ts';
import { RemoteError } from '../base/remote-error.ts';
import type { Schema } from '../base/schema.ts';
import { blocked, classifyStatus, oddAnswer, unreachable, type Where } from './classify.ts';

/** A budget and breaker shared by all processes of one database; `state/` fills this port. */
export interface Gate {
  /** Waits for a slot of the budget; throws where the breaker is open. */
  take(signal: AbortSignal): Promise<void>;
  /** Told of a 429 (`rate`) or of an HTML 403 (`blocked`). */
  strike(kind: 'rate' | 'blocked'): Promise<void>;
  /** Told of every answer that was neither. */
  relax(): Promise<void>;
}

/** How a system's requests prove who they are. */
export interface Authorization {
  header(): Promise<Record<string, string>>;
  /** Told of a 401 with the headers that were refused; true: newer credentials are at hand, try once more. */
  refused(used: Record<string, string>): Promise<boolean>;
}

export interface SystemOptions {
  system: string;
  /** Absolute, without a trailing slash; a request's path is appended. */
  baseUrl: string;
  headers?: Record<string, string>;
  authorization?: Authorization;
  /** Pace within this process. */
  limit?: { requests: number; perMs: number };
  gate?: Gate;
  timeoutMs: number;
  /** The variable that an operator must mend when the system refuses our credentials. */
  credentials: string;
  /**
   * Asked first what an answer outside 2xx means, where a system's statuses do not tell it; undefined leaves it to the core.
   * `answer` is the parsed JSON body, undefined for anything else. What it gives is thrown at once and never repeated here.
   */
  classify?: (where: Where, status: number, answer: unknown) => RemoteError | undefined;
}

export interface RequestOptions<T> {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  path: string;
  /** The endpoint's name, for errors and logs: `leads.create`. */
  route: string;
  /** A ready-made query string without `?`; brackets may stay raw. */
  query?: string;
  body?: unknown;
  /** A ready-made `application/x-www-form-urlencoded` body, in place of `body`. */
  form?: string;
  schema: Schema<T>;
  /** The answer's text is of no matter: only its status counts, and the schema is given `undefined`. */
  bodyIgnored?: boolean;
  /** The schema is given the answer's text as it came: XML, plain words. */
  text?: boolean;
  /** Told of every answer before it is read, whatever its status: for cookies. Its headers may hold secrets. */
  onAnswer?: (answer: { status: number; headers: http.IncomingHttpHeaders }) => void;
  /** Safe to send again after an uncertain end. Default: GET only. */
  repeatable?: boolean;
  /** Called after the throttle's slot was had, right before the socket is written to; once per attempt. */
  onSend?: () => Promise<void>;
  headers?: Record<string, string>;
  timeoutMs?: number;
}

export interface SystemHttp {
  /** An answer without a body is given to the schema as `undefined`. Throws `RemoteError` and nothing else of its own. */
  request<T>(options: RequestOptions<T>): Promise<T>;
}

export interface HttpCore {
  for(options: SystemOptions): SystemHttp;
  /** Requests sent so far, every attempt counted, by system. */
  readonly sent: ReadonlyMap<string, number>;
  /** By how much our clock is ahead of each system's, in milliseconds, by the Date header of its last answer; good to a second or two. */
  readonly skewMs: ReadonlyMap<string, number>;
  close(): void;
}

export interface HttpCoreOptions {
  clock: Clock;
  signal: AbortSignal;
  userAgent: string;
  log?: { debug(fields: Record<string, unknown>, message: string): void };
  /** First pause before a repetition; doubled for each further one. */
  retryDelayMs?: number;
}

const ATTEMPTS = 4;
const RETRY_AFTER_CAP_MS = 30_000;

interface Answer {
  status: number;
  text: string;
  headers: http.IncomingHttpHeaders;
}

/** The one way to the network: retry(throttle(request)); got's own retry is off, for the two would multiply. */
export function httpCore(core: HttpCoreOptions): HttpCore {
  const sent = new Map<string, number>();
  const skewMs = new Map<string, number>();
  const agent = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) };

  async function exchange(system: SystemOptions, request: RequestOptions<unknown>, auth: Record<string, string>) {
    const url = `${system.baseUrl}${request.path}${request.query ? `?${request.query}` : ''}`;
    const headers = { 'user-agent': core.userAgent, ...system.headers, ...request.headers, ...auth };
    const answer = await got(url, {
      method: request.method,
      ...contentOf(request, headers),
      throwHttpErrors: false,
      followRedirect: false,
      retry: { limit: 0 },
      timeout: { request: request.timeoutMs ?? system.timeoutMs },
      agent,
    });
    return { status: answer.statusCode, text: answer.body, headers: answer.headers } satisfies Answer;
  }

  function noteSkew(system: string, answer: Answer, startedMs: number): void {
    const theirs = Date.parse(text(answer.headers.date) ?? '');
    // The header is cut to whole seconds, and the answer was made some time between our asking and our having it.
    if (!Number.isNaN(theirs)) skewMs.set(system, (startedMs + core.clock.now().getTime()) / 2 - (theirs + 500));
  }

  function forSystem(system: SystemOptions): SystemHttp {
    const throttle = pThrottle({ limit: system.limit?.requests ?? 50, interval: system.limit?.perMs ?? 1000 });
    const slot = throttle(() => undefined);

    async function attempt<T>(request: RequestOptions<T>): Promise<T> {
      for (let renewed = false; ; renewed = true) {
        const auth = (await system.authorization?.header()) ?? {};
        await slot();
        await system.gate?.take(core.signal);
        await request.onSend?.();
        const answer = await send(request, auth);
        request.onAnswer?.({ status: answer.status, headers: answer.headers });
        if (answer.status === 401 && !renewed && (await system.authorization?.refused(auth))) continue;
        return read(request, answer);
      }
    }

    async function send(request: RequestOptions<unknown>, auth: Record<string, string>): Promise<Answer> {
      sent.set(system.system, (sent.get(system.system) ?? 0) + 1);
      const started = core.clock.now().getTime();
      let status: number | string = 'no answer';
      try {
        const answer = await exchange(system, request, auth);
        status = answer.status;
        noteSkew(system.system, answer, started);
        return answer;
      } catch (error) {
        throw fromGot(system.system, request.route, error);
      } finally {
        const ms = core.clock.now().getTime() - started;
        core.log?.debug({ system: system.system, route: request.route, method: request.method, status, ms }, 'request');
      }
    }

    async function read<T>(request: RequestOptions<T>, answer: Answer): Promise<T> {
      const where = { system: system.system, route: request.route, requestId: text(answer.headers['x-request-id']) };
      const ok = answer.status >= 200 && answer.status <= 299;
      const body = bodyOf(request, answer, ok);
      const own = ok ? undefined : system.classify?.(where, answer.status, body.value);
      if (own !== undefined) {
        settled.add(own);
        throw own;
      }
      if (answer.status === 429) await system.gate?.strike('rate');
      if (answer.status === 403 && body.odd) {
        await system.gate?.strike('blocked');
        throw blocked(where);
      }
      if (answer.status !== 429) await system.gate?.relax();
      if (!ok) {
        throw withPause(classifyStatus(where, answer.status, body.value, system.credentials), answer);
      }
      if (body.odd) throw oddAnswer(where, 'not JSON');
      try {
        return request.schema.parse(body.value);
      } catch (error) {
        throw oddAnswer(where, describeMismatch(error));
      }
    }

    return {
      request: <T>(request: RequestOptions<T>) => {
        const repeatable = request.repeatable ?? request.method === 'GET';
        return pRetry(() => attempt(request), {
          retries: ATTEMPTS - 1,
          minTimeout: core.retryDelayMs ?? 500,
          factor: 2,
          shouldRetry: ({ error }) => !core.signal.aborted && mayRepeat(error, repeatable),
          onFailedAttempt: async ({ error, retriesLeft }) => {
            const pause = pauses.get(error);
            if (pause === undefined || retriesLeft === 0 || !mayRepeat(error, repeatable)) return;
            await core.clock.sleep(pause, core.signal);
          },
        });
      },
    };
  }

  return {
    for: forSystem,
    sent,
    skewMs,
    close: () => {
      agent.http.destroy();
      agent.https.destroy();
    },
  };
}

/** The request's body, if it has one, and the headers with its type; a type that the system's own headers name wins. */
function contentOf(request: RequestOptions<unknown>, headers: Record<string, string>) {
  if (request.form !== undefined) {
    return { headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, body: request.form };
  }
  if (request.body === undefined) return { headers };
  return { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(request.body) };
}

/** How long a system asked us to wait, kept beside the error that its answer became. */
const pauses = new WeakMap<Error, number>();

function withPause(error: RemoteError, answer: Answer): RemoteError {
  const seconds = Number(text(answer.headers['retry-after']));
  if (Number.isFinite(seconds) && seconds > 0) pauses.set(error, Math.min(seconds * 1000, RETRY_AFTER_CAP_MS));
  return error;
}

/** Errors that a system's own classification gave: it alone knows whether asking again makes sense. */
const settled = new WeakSet<Error>();

/** A read may be repeated after any passing failure; a write only where it surely was not carried out. */
function mayRepeat(error: Error, repeatable: boolean): boolean {
  if (!(error instanceof RemoteError) || error.kind !== 'transient' || error.code === 'REMOTE_BLOCKED') return false;
  if (error.code === 'BREAKER_OPEN' || settled.has(error)) return false;
  return repeatable || error.outcome === 'not-sent' || error.status === 429;
}

const NOT_SENT_CODES = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'EPROTO',
]);

/** There was no connection to write to yet; on a kept one `upload` tells that the request was handed over. */
function beforeFirstByte({ timings, options }: RequestError): boolean {
  if (timings === undefined || timings.upload !== undefined) return false;
  const secure = String(options.url).startsWith('https:');
  return (secure ? timings.secureConnect : timings.connect) === undefined;
}

/** Got's errors print the URL and the headers, so none of them leaves this module, not even as a cause. */
function fromGot(system: string, route: string, error: unknown): RemoteError {
  if (error instanceof RequestError) {
    const why = error instanceof TimeoutError ? 'no answer in time' : error.code;
    return unreachable({ system, route }, why, NOT_SENT_CODES.has(error.code) || beforeFirstByte(error));
  }
  return unreachable({ system, route }, 'failed', false);
}

/** A refusal is read as JSON whatever is wanted of an answer in good order. */
function bodyOf(request: RequestOptions<unknown>, answer: Answer, ok: boolean): { value: unknown; odd: boolean } {
  if (request.text && ok) return { value: answer.text, odd: false };
  return parseJson(request.bodyIgnored ? '' : answer.text);
}

function parseJson(body: string): { value: unknown; odd: boolean } {
  if (body.trim() === '') return { value: undefined, odd: false };
  try {
    return { value: JSON.parse(body), odd: false };
  } catch {
    return { value: undefined, odd: true };
  }
}

/** Names the place that did not fit, never the value. */
function describeMismatch(error: unknown): string {
  const issues = (error as { issues?: { path?: PropertyKey[]; code?: string }[] } | undefined)?.issues;
  if (Array.isArray(issues) && issues[0]) {
    return `${(issues[0].path ?? []).join('.') || 'the answer'}: ${issues[0].code ?? 'unexpected'}`;
  }
  return error instanceof Error ? error.message.slice(0, 200) : 'unexpected shape';
}

function text(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
