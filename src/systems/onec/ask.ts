import { RemoteError } from '../../base/remote-error.ts';
import type { RequestOptions, SystemHttp } from '../../http/core.ts';
import { isLocked, notFrom1c, odataCode, wrongLogin } from './errors.ts';
import { queryString } from './query.ts';
import { sessions } from './sessions.ts';

/** After idling 1C needs 10 to 30 seconds and more for its first answer, then 0.1 to 2 (seen at live bases). */
const REQUEST_TIMEOUT_MS = 60_000;
const FIRST_REQUEST_TIMEOUT_MS = 180_000;
/** Pauses before a refusal for a lock is tried again; 1C itself waits up to 20 seconds for a lock before it gives up. */
const LOCK_PAUSES_MS = [1000, 2000, 5000];
/** A free session or licence may turn up while we wait. */
const SESSION_PAUSE_MS = 2000;
const FINISH_TIMEOUT_MS = 5000;

export interface AskOptions {
  sleep(ms: number): Promise<void>;
  /** Default 60,000. */
  requestTimeoutMs?: number;
  /** Of requests until 1C has answered once. Default 180,000. */
  firstRequestTimeoutMs?: number;
}

export interface Asking {
  /** One request at a time, each in the shared session, locks waited out. Throws `RemoteError`. */
  ask<T>(request: RequestOptions<T>): Promise<T>;
  /** Heavy answers are given as long as the first one. */
  readonly longTimeoutMs: number;
  /** Ends the session, if one is open; never throws. */
  close(): Promise<void>;
}

/** What all requests to 1C have in common. */
export function asking(http: SystemHttp, options: AskOptions): Asking {
  const session = sessions();
  const longTimeoutMs = options.firstRequestTimeoutMs ?? FIRST_REQUEST_TIMEOUT_MS;
  const shortTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
  let warm = false;
  /** 1C has answered with data: our login is good. */
  let known = false;
  let isPage = false;
  let queue: Promise<unknown> = Promise.resolve();

  /** Each request may open a session of its own in 1C, and sessions take licences: never two at once. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = queue.then(work, work);
    queue = turn.catch(() => undefined);
    return turn;
  }

  async function once<T>(request: RequestOptions<T>): Promise<T> {
    const timeoutMs = request.timeoutMs ?? (warm ? shortTimeoutMs : longTimeoutMs);
    const value = await http.request<T>({
      ...request,
      timeoutMs,
      headers: { ...request.headers, ...session.headers() },
      onAnswer: (answer) => {
        warm ||= answer.status < 500;
        isPage = /html/i.test(answer.headers['content-type'] ?? '');
        session.note(answer);
      },
    });
    known = true;
    return value;
  }

  async function attempts<T>(request: RequestOptions<T>): Promise<T> {
    let locks = 0;
    let renewed = false;
    for (;;) {
      const wasOpen = session.isOpen();
      try {
        return await once(request);
      } catch (error) {
        if (!(error instanceof RemoteError)) throw error;
        const pause = isLocked(error) ? LOCK_PAUSES_MS[locks] : undefined;
        if (pause !== undefined) {
          locks += 1;
          await options.sleep(pause);
          continue;
        }
        const isGone = isSessionGone(error, wasOpen);
        if (isGone) session.drop();
        // A bare 500 may also be a write that was cut off half-way: the next request starts anew, this one is in doubt.
        const mayRepeat = error.outcome === 'refused' || request.method === 'GET' || request.repeatable === true;
        if (!isGone || renewed || !mayRepeat) throw await explained(error);
        renewed = true;
        if (error.status === 406) await options.sleep(SESSION_PAUSE_MS);
      }
    }
  }

  /** The same 401 with code 20 stands for a missing right and for an unknown user: the service document tells which. */
  async function explained(error: RemoteError): Promise<RemoteError> {
    if (error.code === 'REMOTE_ODD_ANSWER' && isPage) return notFrom1c(error, known);
    if (odataCode(error) !== '20' || known) return error;
    try {
      await once(serviceDocument());
      return error;
    } catch (probe) {
      return odataCode(probe) === '20' ? wrongLogin(error, 401) : probe instanceof RemoteError ? probe : error;
    }
  }

  async function close(): Promise<void> {
    await inTurn(async () => {
      const headers = session.finish();
      if (headers === undefined) return;
      const request = { ...serviceDocument(), headers, timeoutMs: FINISH_TIMEOUT_MS, repeatable: false };
      // An unfinished session ends by itself (sessionMaxAge, 20 seconds by default): nothing is lost.
      await http.request(request).catch(() => undefined);
    });
  }

  return { ask: (request) => inTurn(() => attempts(request)), longTimeoutMs, close };
}

function serviceDocument(): RequestOptions<undefined> {
  const schema = { parse: () => undefined };
  return { method: 'GET', path: '/', query: queryString(), route: 'service document', schema, bodyIgnored: true };
}

/**
 * 406: no session could be had. With the cookie of an ended session the web server answers 400, 404 or 500 without 1C's
 * error body, or 1C says so itself (seen in public clients).
 */
function isSessionGone(error: RemoteError, wasOpen: boolean): boolean {
  if (error.status === 406) return true;
  if (!wasOpen) return false;
  if (SESSION_WORDS.test(error.message)) return true;
  const code = odataCode(error);
  // 1C gives 400 and 404 with codes that name the fault; -1 is its word for a failure, whose status is 500.
  if (code !== undefined) return code === '-1' && (error.status === 400 || error.status === 404);
  return error.status === 500 || (error.code === 'REMOTE_REFUSED' && error.status === undefined);
}

/** «Сеанс отсутствует или удален», «Сеанс работы завершен администратором». */
const SESSION_WORDS =
  /сеанс[а-яё ]*(?:отсутству|удал|завершен)|session (?:is )?(?:missing|deleted|terminated|not found)/i;
