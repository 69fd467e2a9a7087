/** Switches of the 1C stand-in: what differs from one live base to the next, and what goes wrong in them. */
export interface OnecOptions {
  user: string;
  password: string;
  /** Epoch ms of the server's clock. Over HTTP: an ISO instant or a number freezes it, null lets it run again. */
  now: () => number;
  /** IANA zone that 1C's dates are local to. */
  timeZone: string;
  /** If-Match: 412 on a mismatch, as the guide has it; else it is ignored, as two live bases did. */
  ifMatch: boolean;
  /** Whether a Ref_Key sent with a new object is taken. */
  honoursRefKey: boolean;
  /** The first request after this is set waits so long. */
  coldStartMs: number;
  /** A wrong login gets an HTML page with 200 instead of 401. */
  authHtml200: boolean;
  /** `IBSession: start` opens a session; without it the header does nothing, as behind a pool. */
  sessions: boolean;
  /** No session can be opened: 406, for want of a licence. */
  sessionsRefused: boolean;
  staleCookieStatus: 400 | 404 | 500;
  /** The next so many writes fail with the text of a lock. */
  lockTimes: number;
  /** Filters on composite fields answer with nothing, and no error. */
  filterLies: boolean;
  lambdaUnsupported: boolean;
  /** `cast` of a property's value is refused with code 21; that of a guid still works. */
  castUnsupported: boolean;
  /** References that the user has no right to see. */
  rlsHidden: readonly string[];
  paddedCodes: boolean;
  /** Any other number gives predefined items other guids, as another base has. */
  predefinedShift: number;
  /** Documents dated before it cannot be written; empty = no ban. */
  banDate: string;
  executorsDemanded: boolean;
  /** The extension that keeps «Дата записи» of work orders. */
  extension: boolean;
  /** The answer's status of a new register record. */
  recordStatus: 200 | 201;
}

export const ONEC_SANDBOX_USER = 'Обмен';
export const ONEC_SANDBOX_PASSWORD = 'обмен-с-песочницей';

export const DEFAULT_OPTIONS: OnecOptions = {
  user: ONEC_SANDBOX_USER,
  password: ONEC_SANDBOX_PASSWORD,
  now: Date.now,
  timeZone: 'Europe/Moscow',
  ifMatch: true,
  honoursRefKey: true,
  coldStartMs: 0,
  authHtml200: false,
  sessions: false,
  sessionsRefused: false,
  staleCookieStatus: 404,
  lockTimes: 0,
  filterLies: false,
  lambdaUnsupported: false,
  castUnsupported: false,
  rlsHidden: [],
  paddedCodes: false,
  predefinedShift: 0,
  banDate: '',
  executorsDemanded: true,
  extension: true,
  recordStatus: 200,
};

function frozenClock(value: unknown): () => number {
  if (value === null) return Date.now;
  const at = typeof value === 'number' ? value : Date.parse(String(value));
  if (!Number.isFinite(at)) throw new Error('1C stand-in: option "now" is an instant or null');
  return () => at;
}

/** Merges options in. Throws on an unknown name or a value of another kind: a misspelt switch must not make a test pass. */
export function mergeOptions(options: OnecOptions, given: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(given)) {
    if (!(key in DEFAULT_OPTIONS)) throw new Error(`1C stand-in: no option "${key}"`);
    if (key === 'now' && typeof value !== 'function') {
      options.now = frozenClock(value);
      continue;
    }
    const model = DEFAULT_OPTIONS[key as keyof OnecOptions];
    if (typeof value !== typeof model || Array.isArray(value) !== Array.isArray(model)) {
      throw new Error(`1C stand-in: option "${key}" cannot be ${JSON.stringify(value)}`);
    }
    Object.assign(options, { [key]: value });
  }
}
