import { Secret } from '../base/secret.ts';
import { usualZones } from '../base/zone.ts';

/** Turns the text of a variable into a value; undefined where the text is not what `expects` says. */
export interface Parser<T> {
  /** Ends the sentence "expected …". */
  readonly expects: string;
  readonly secret?: boolean;
  parse(text: string): T | undefined;
}

export type Reading<T> = { readonly value: T } | { readonly fault: string };

/** One environment variable. No reading ever quotes the text: it might be a secret put under the wrong name. */
export interface Variable<T> {
  readonly secret: boolean;
  /** What holds where the variable is absent, as one would write it in the env file. */
  readonly fallback?: string;
  read(text: string | undefined): Reading<T>;
}

export function required<T>(parser: Parser<T>): Variable<T> {
  return {
    secret: parser.secret ?? false,
    read: (text) => (text === undefined ? { fault: `missing; expected ${parser.expects}` } : readText(parser, text)),
  };
}

export function optional<T>(parser: Parser<T>): Variable<T | undefined> {
  return {
    secret: parser.secret ?? false,
    read: (text) => (text === undefined ? { value: undefined } : readText(parser, text)),
  };
}

export function withDefault<T>(fallback: string, parser: Parser<T>): Variable<T> {
  return { secret: parser.secret ?? false, fallback, read: (text) => readText(parser, text ?? fallback) };
}

function readText<T>(parser: Parser<T>, text: string): Reading<T> {
  const value = parser.parse(text.trim());
  return value === undefined ? { fault: `expected ${parser.expects}` } : { value };
}

export function text(expects = 'a text'): Parser<string> {
  return { expects, parse: (value) => value };
}

/** Any text that must not be shown, e.g. a passphrase. */
export function secret(): Parser<Secret> {
  return { expects: 'a text', secret: true, parse: (value) => new Secret(value) };
}

/** A secret that travels in an HTTP header or form: other characters would break the request, far from the cause. */
export function token(): Parser<Secret> {
  return {
    expects: 'a token: one line of Latin letters, digits and signs, without spaces',
    secret: true,
    parse: (value) => (/^[\x21-\x7e]+$/.test(value) ? new Secret(value) : undefined),
  };
}

export function integer(least: number, most: number): Parser<number> {
  return {
    expects: `a whole number from ${least} to ${most}`,
    parse: (value) => {
      const number = Number(value);
      return /^\d{1,15}$/.test(value) && number >= least && number <= most ? number : undefined;
    },
  };
}

/** An id at a remote system: positive, and exact as a JavaScript number. */
export function id(): Parser<number> {
  return {
    expects: 'an id: a whole number above 0',
    parse: (value) => (/^[1-9]\d{0,14}$/.test(value) ? Number(value) : undefined),
  };
}

const yes = ['true', '1', 'yes', 'on'];
const no = ['false', '0', 'no', 'off'];

export function boolean(): Parser<boolean> {
  return {
    expects: 'true or false',
    parse: (value) => {
      const word = value.toLowerCase();
      return yes.includes(word) ? true : no.includes(word) ? false : undefined;
    },
  };
}

/** A switch that is on whenever it is present, as the NO_COLOR convention asks (https://no-color.org). */
export function presence(): Parser<boolean> {
  return { expects: 'anything', parse: () => true };
}

export function oneOf<const T extends string>(...words: readonly T[]): Parser<T> {
  return {
    expects: words.join(', ').replace(/, ([^,]*)$/, ' or $1'),
    parse: (value) => words.find((word) => word === value),
  };
}

/** Comma-separated words of a list, at least one, without repeats. */
export function listOf<const T extends string>(...words: readonly T[]): Parser<readonly T[]> {
  return {
    expects: `one or more of ${words.join(', ')}, separated by commas`,
    parse: (value) => {
      const asked = [...new Set(value.split(',').map((word) => word.trim()))].filter((word) => word !== '');
      const known = words.filter((word) => asked.includes(word));
      return known.length > 0 && known.length === asked.length ? known : undefined;
    },
  };
}

/** `30s`, `1m`, `6h`, `1d` as milliseconds. */
export function duration(): Parser<number> {
  const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  return {
    expects: 'a length of time such as 30s, 10m, 6h or 1d',
    parse: (value) => {
      const [, count, unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(value) ?? [];
      const ms = unitMs[unit];
      return count === undefined || ms === undefined ? undefined : Number(count) * ms;
    },
  };
}

/** An IANA zone name that this Node.js knows. */
export function zone(): Parser<string> {
  return {
    expects: 'an IANA time zone such as Asia/Almaty',
    parse: (value) => (usualZones.has(value) || isZone(value) ? value : undefined),
  };
}

function isZone(name: string): boolean {
  // Newer Node.js takes +05:00 for a zone too; an offset knows no daylight saving, so we ask for a name.
  if (!/^[A-Za-z]/.test(name)) {
    return false;
  }
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const usualCountries: ReadonlySet<string> = new Set(['KZ', 'RU', 'BY']);

/** ISO 3166 two-letter country code, upper case. */
export function country(): Parser<string> {
  return {
    expects: 'a two-letter country code such as KZ, RU or BY',
    parse: (value) => {
      const code = value.toUpperCase();
      return usualCountries.has(code) || isCountry(code) ? code : undefined;
    },
  };
}

function isCountry(code: string): boolean {
  const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
  return /^[A-Z]{2}$/.test(code) && names.of(code) !== undefined;
}

/** A calendar date, or an instant with its zone, in ISO 8601. A date alone means its first moment in UTC. */
export function date(): Parser<Date> {
  return {
    expects: 'a date such as 2027-03-31',
    parse: (value) => {
      if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(value)) {
        return undefined;
      }
      const instant = new Date(value);
      return Number.isNaN(instant.getTime()) ? undefined : instant;
    },
  };
}

/** An address, as it was written: https, or http to this machine alone (stand-ins), with no password in it. */
export function url(): Parser<string> {
  return {
    expects: 'an address that begins with https:// (http:// only for this machine), without user name and password',
    parse: (value) => (safeUrl(value) === undefined ? undefined : value),
  };
}

/** An address that paths are appended to: no query, no fragment, no slash at its end. */
export function baseUrl(): Parser<string> {
  return {
    expects: `${url().expects}, query and #`,
    parse: (value) => {
      const parsed = safeUrl(value);
      return parsed === undefined || /[?#]/.test(value) ? undefined : value.replace(/\/+$/, '');
    },
  };
}

/** Scheme and host alone, e.g. `https://demo.amocrm.ru`: what remains of an address copied from the browser is a mistake. */
export function originUrl(example: string): Parser<string> {
  return {
    expects: `an address of scheme and host alone, such as ${example}`,
    parse: (value) => {
      const parsed = safeUrl(value);
      return parsed === undefined || parsed.pathname !== '/' || /[?#]/.test(value) ? undefined : parsed.origin;
    },
  };
}

function safeUrl(value: string): URL | undefined {
  if (/\s/.test(value) || !URL.canParse(value)) {
    return undefined;
  }
  const parsed = new URL(value);
  const allowed = parsed.protocol === 'https:' || (parsed.protocol === 'http:' && isLoopback(parsed.hostname));
  return allowed && parsed.username === '' && parsed.password === '' ? parsed : undefined;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** `sqlite:PATH` or `postgres://…`; the password inside stays with who opens the database. */
export function databaseUrl(): Parser<string> {
  return {
    expects: 'sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE',
    parse: (value) => (/^sqlite:./.test(value) || isPostgresUrl(value) ? value : undefined),
  };
}

function isPostgresUrl(value: string): boolean {
  return /^postgres(ql)?:\/\//.test(value) && URL.canParse(value);
}
