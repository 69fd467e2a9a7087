import type { SandboxAnswer } from '../kit.ts';
import type { OnecOptions } from './options.ts';

/** Lasting sessions by the cookie `ibsession` (seen with clients of live bases). */
export interface Sessions {
  /** An answer where the session cannot be had, else the cookie to set, if any. */
  admit(headers: Record<string, string>): { refused?: number; cookie?: string };
  /** Every session is lost, as after a restart of the pool. */
  drop(): void;
}

export function createSessions(options: OnecOptions): Sessions {
  const open = new Set<string>();
  let last = 0;
  return {
    admit(headers) {
      const cookie = /(?:^|;\s*)ibsession=([^;]*)/.exec(headers.cookie ?? '')?.[1];
      const known = cookie !== undefined && open.has(cookie);
      if (cookie !== undefined && !known) return { refused: options.staleCookieStatus };
      if (cookie !== undefined && headers.ibsession === 'finish') open.delete(cookie);
      if (known) return {};
      if (options.sessionsRefused) return { refused: 406 };
      if (!options.sessions || headers.ibsession !== 'start') return {};
      const id = `sandbox-session-${++last}`;
      open.add(id);
      return { cookie: `ibsession=${id}; path=/` };
    },
    drop: () => open.clear(),
  };
}

/** Answers to a wrong login: 401 in JSON, or the page of a web server that says 200. */
export function loginPage(): SandboxAnswer {
  const body =
    '<html><head><title>1С:Предприятие</title></head><body>Неверное имя пользователя или пароль</body></html>';
  return { status: 200, body, headers: { 'content-type': 'text/html;charset=utf-8' } };
}

export function isAuthorised(header: string | undefined, { user, password }: OnecOptions): boolean {
  const [, token = ''] = /^Basic (\S+)$/i.exec(header ?? '') ?? [];
  return Buffer.from(token, 'base64').equals(Buffer.from(`${user}:${password}`, 'utf8'));
}
