import type { IncomingHttpHeaders } from 'node:http';

/**
 * One 1C session for all requests of a process, so that each of them does not open one, and take a licence, of its own:
 * `IBSession: start` is answered with the cookie `ibsession`, which goes along from then on (seen in public clients of 1C).
 * A web server that reuses sessions by itself gives no cookie; then there is nothing to send.
 */
export interface Sessions {
  /** What the next request carries. */
  headers(): Record<string, string>;
  /** Whether a request made now would lean on a session that an earlier answer opened. */
  isOpen(): boolean;
  /** Told of every answer. The cookie stays in here: it is as good as a login. */
  note(answer: { status: number; headers: IncomingHttpHeaders }): void;
  /** The session is gone: the next request starts a new one. */
  drop(): void;
  /** What ends the session; undefined where none is open. */
  finish(): Record<string, string> | undefined;
}

export function sessions(): Sessions {
  let state: { at: 'none' } | { at: 'open'; cookie: string } | { at: 'never' } = { at: 'none' };

  const cookieHeader = (): Record<string, string> =>
    state.at === 'open' ? { cookie: `ibsession=${state.cookie}` } : {};

  return {
    headers: () => (state.at === 'none' ? { ibsession: 'start' } : cookieHeader()),
    isOpen: () => state.at === 'open',
    note: ({ status, headers }) => {
      const cookie = cookieOf(headers);
      if (cookie !== undefined) state = { at: 'open', cookie };
      else if (state.at === 'none' && status >= 200 && status <= 299) state = { at: 'never' };
    },
    drop: () => {
      state = { at: 'none' };
    },
    finish: () => {
      if (state.at !== 'open') return undefined;
      const headers = { ...cookieHeader(), ibsession: 'finish' };
      state = { at: 'none' };
      return headers;
    },
  };
}

function cookieOf(headers: IncomingHttpHeaders): string | undefined {
  for (const line of headers['set-cookie'] ?? []) {
    const [, value] = /^\s*ibsession=([^;\s]+)/i.exec(line) ?? [];
    if (value !== undefined) return value;
  }
  return undefined;
}
