import { ExitCode } from '../../base/errors.ts';
import { cleanText } from '../../base/redact.ts';
import { RemoteError, type RemoteErrorInit } from '../../base/remote-error.ts';
import type { Where } from '../../http/classify.ts';

/** What an operator mends where 1C refuses the login. */
export const CREDENTIALS = 'ONEC_USER and ONEC_PASSWORD';

const LONGEST_WORDS = 300;
/** Statuses of a refusal that concerns the one thing asked about; the runner takes each for a refused item. */
const ONE_ITEM: ReadonlySet<number> = new Set([400, 404, 413, 422]);
/** What stands for all the others, such as a handler's 500: understood, and not carried out. */
const UNPROCESSABLE = 422;

const PUBLISH =
  'In 1C open the settings of the standard OData interface (administration, synchronisation or the processing ' +
  'НастройкаСтандартногоИнтерфейсаOData), tick it and everything that it refers to, then run `sdelka doctor`.';

interface Said {
  code: string;
  /** 1C's own words, first line, shortened, phones and e-mails masked. */
  words: string;
}

/** `{"odata.error":{"code":"9","message":{"lang":"ru","value":"…"}}}` (1C developer's guide, 17.4). */
function readError(answer: unknown): Said | undefined {
  const error = property(answer, 'odata.error');
  const code = property(error, 'code');
  if (typeof code !== 'string' && typeof code !== 'number') return undefined;
  const message = property(error, 'message');
  const value = typeof message === 'string' ? message : property(message, 'value');
  const lines = (typeof value === 'string' ? value : '').split(/[\r\n]+/).map((line) => line.trim());
  return { code: String(code), words: shortened(cleanText(lines.find((line) => line !== '') ?? 'without a word')) };
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function shortened(words: string): string {
  return words.length <= LONGEST_WORDS ? words : `${words.slice(0, LONGEST_WORDS - 1)}…`;
}

/** 1C's own code of a refusal, e.g. `9`: no such object; undefined for every other error. */
export function odataCode(error: unknown): string | undefined {
  return error instanceof RemoteError ? readError(error.answer)?.code : undefined;
}

/** Whether a new record was refused because one with its key stands already: code 15, or a failure in the platform's own words. */
export function isDuplicate(error: unknown): boolean {
  const code = odataCode(error);
  return code === '15' || (code === '-1' && error instanceof Error && DUPLICATE_WORDS.test(error.message));
}

/** «Запись с такими ключевыми полями существует!» */
const DUPLICATE_WORDS = /такими ключевыми полями существует|record with such key fields (?:already )?exists/i;

const conflicts = new WeakSet<Error>();

/** Whether a change was refused because the object is no longer the version that If-Match named. */
export function isVersionConflict(error: unknown): boolean {
  return error instanceof Error && conflicts.has(error);
}

const locks = new WeakSet<Error>();

/** Whether somebody else held the object: surely not carried out, and worth another try. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && locks.has(error);
}

/** A lock has no code of its own, only words («Ошибка блокировки данных», «не удалось заблокировать», Lock conflict). */
const LOCK_WORDS = /блокиров|заблокир|\b(?:dead)?lock/i;

/**
 * What a refusal of 1C means, for the core's `classify`; undefined where its status says enough (408, 429, and 5xx without
 * 1C's words: the outcome of a write is unknown). Pure. Every error of it but 401, 403 and 406 is `refused` and about the
 * one thing asked for.
 */
export function classifyOnec(where: Where, status: number, answer: unknown): RemoteError | undefined {
  const said = readError(answer);
  if (status === 401 && said?.code !== '20') return wrongLogin(where, status);
  if (status === 406) return noSession(where);
  if (status === 412) return versionConflict(where, answer);
  if (said !== undefined) return refusal(where, status, said, answer);
  if (status === 403) return wrongLogin(where, status);
  return [400, 404, 405, 411, 414].includes(status) || (status >= 300 && status < 400)
    ? notOnec(where, status)
    : undefined;
}

type Case = Partial<RemoteErrorInit> & { message: string; hint: string };

function remoteError(where: Where, given: Case): RemoteError {
  return new RemoteError({
    system: where.system,
    route: where.route,
    ...(where.requestId === undefined ? {} : { requestId: where.requestId }),
    code: 'REMOTE_REFUSED',
    kind: 'operator',
    exit: ExitCode.Unavailable,
    outcome: 'refused',
    ...given,
  });
}

/** The web server or 1C does not know the user. Also where a 401 with code 20 turns out to be about the login. */
export function wrongLogin(where: Where, status: number): RemoteError {
  const code = status === 401 ? 'REMOTE_UNAUTHORIZED' : 'REMOTE_FORBIDDEN';
  return remoteError(where, {
    code,
    exit: ExitCode.CredentialsRefused,
    status,
    message: `1C refused the login (HTTP ${status}; ${where.route})`,
    hint: `Check ${CREDENTIALS}, and that this user may use the OData interface; then run the job again: it resumes where it stopped.`,
  });
}

/** Transient: licences and sessions come free by themselves. Not the item's own, so that the run ends. */
function noSession(where: Where): RemoteError {
  return remoteError(where, {
    code: 'REMOTE_BUSY',
    kind: 'transient',
    status: 406,
    message: `1C has no free session or licence for us (HTTP 406; ${where.route})`,
    hint: 'It passes when a session ends. If it lasts, end stale sessions in the cluster console or add a licence.',
  });
}

function versionConflict(where: Where, answer: unknown): RemoteError {
  const error = remoteError(where, {
    kind: 'transient',
    status: UNPROCESSABLE,
    answer,
    message: `1C refused it: the object has been changed since it was read (HTTP 412; ${where.route})`,
    hint: 'Nothing to do: the next run reads it again and decides anew.',
  });
  conflicts.add(error);
  return error;
}

function refusal(where: Where, status: number, { code, words }: Said, answer: unknown): RemoteError {
  const common = { status: ONE_ITEM.has(status) ? status : UNPROCESSABLE, answer };
  if (code === '-1' && LOCK_WORDS.test(words)) return locked(where, words, answer);
  if (code === '8') {
    return remoteError(where, {
      ...common,
      message: `1C has no ${setOf(where.route)}, or does not publish it (code 8; ${where.route})`,
      hint: PUBLISH,
    });
  }
  if (code === '20') {
    return remoteError(where, {
      ...common,
      message: `1C refused it: ONEC_USER has no right to ${setOf(where.route)}, or to some rows of it (code 20; ${where.route})`,
      hint: 'Give the user of ONEC_USER a role that may read and change it without restrictions on rows.',
    });
  }
  return remoteError(where, {
    ...common,
    message: `1C refused it: ${words}`,
    hint: `Its code is ${code} (${where.route}). The event log of 1C tells more; correct it there, or the mapping, and it is tried again.`,
  });
}

function locked(where: Where, words: string, answer: unknown): RemoteError {
  const error = remoteError(where, {
    code: 'REMOTE_FAILING',
    kind: 'transient',
    status: UNPROCESSABLE,
    answer,
    message: `1C refused it: ${words}`,
    hint: 'Somebody works on the same data; it is tried again.',
  });
  locks.add(error);
  return error;
}

/** A web server's own refusal says nothing about the item, hence no status: the run ends instead of giving items up. */
function notOnec(where: Where, status: number): RemoteError {
  return remoteError(where, {
    message: `the web server before 1C refused the request (HTTP ${status}; ${where.route})`,
    hint: 'Check that ONEC_ODATA_URL is right, that the base is published with OData, and that the web server lets GET, POST and PATCH through.',
  });
}

/**
 * HTML with 200: a login page or a web server's notice in place of 1C. What was asked may still have been done. `known`: 1C has
 * taken our login in this run; until then it is refused, as a 401 would say.
 */
export function notFrom1c(error: RemoteError, known: boolean): RemoteError {
  const refused = { code: 'REMOTE_UNAUTHORIZED', kind: 'operator', exit: ExitCode.CredentialsRefused } as const;
  return remoteError(error, {
    ...(known ? { code: error.code, kind: error.kind } : refused),
    outcome: error.outcome,
    message: `1C answered with a web page instead of data (${error.route})`,
    hint: `It may be a login page: check ${CREDENTIALS}, ONEC_ODATA_URL and the publication on the web server.`,
  });
}

/** Routes are `<set>.<verb>`. */
function setOf(route: string): string {
  return route.slice(0, route.lastIndexOf('.'));
}
