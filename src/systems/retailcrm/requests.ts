import { isZone } from '../../base/local-time.ts';
import { RemoteError } from '../../base/remote-error.ts';
import type { Schema } from '../../base/schema.ts';
import { oddAnswer } from '../../http/classify.ts';
import type { SystemHttp } from '../../http/core.ts';
import { type AskOptions, asking } from './ask.ts';
import { isWithheld } from './errors.ts';
import { settingsAnswer } from './schema.ts';

/** Called right before a write goes out, once per attempt. */
export type OnSend = () => Promise<void>;

export interface RetailcrmOptions extends AskOptions {
  /** The store's symbolic code, sent with everything that RetailCRM may want it for. */
  site?: string | undefined;
  /** IANA zone of the account's dates. Absent: asked for once, when a date is first needed. */
  zone?: string | undefined;
  /** Taken where the account does not tell its zone, or not to this key. Absent: that is a failure. */
  fallbackZone?: string | undefined;
  warn?: (fields: Record<string, unknown>, message: string) => void;
}

export type Params = Record<string, string | number | readonly number[]>;

export interface Writing<T> {
  route: string;
  path: string;
  schema: Schema<T>;
  params: Params;
  /** The same in the end however often it is sent. */
  repeatable?: boolean;
  http?: SystemHttp;
}

/** What all of the client's functions are made of. */
export interface Requests {
  get<T>(route: string, path: string, schema: Schema<T>, query?: Params, http?: SystemHttp): Promise<T>;
  /** A form whose parameters with structure are JSON. */
  post<T>(given: Writing<T>, onSend?: OnSend): Promise<T>;
  /** IANA zone of the account's dates. */
  zone(): Promise<string>;
  /** An answer that breaks RetailCRM's contract. */
  odd(route: string): (why: string) => RemoteError;
  /** The store as a parameter, where there is one. */
  site: { site?: string };
}

export function requesting(api: SystemHttp, options: RetailcrmOptions): Requests {
  const ask = asking(options);
  let zone: string | undefined = options.zone;

  function get<T>(route: string, path: string, schema: Schema<T>, query: Params = {}, http = api): Promise<T> {
    const text = formText(query);
    return ask(http, { method: 'GET', route, path, schema, ...(text !== '' && { query: text }) });
  }

  function post<T>(given: Writing<T>, onSend?: OnSend): Promise<T> {
    const { route, path, schema, params, repeatable = false, http = api } = given;
    const form = formText(params);
    return ask(http, { method: 'POST', route, path, schema, form, repeatable, ...(onSend && { onSend }) });
  }

  const odd = (route: string) => (why: string) => oddAnswer({ system: 'retailcrm', route }, why);

  async function accountZone(): Promise<string> {
    zone ??= (await zoneTold()) ?? zoneInstead('its settings name none');
    return zone;
  }

  /**
   * Settings may be closed to the key, or missing in an old account; calls must go all the same. What passes, such as a
   * page of something in between, is no reason: calls under wrong times could not be corrected any more.
   */
  async function zoneTold(): Promise<string | undefined> {
    try {
      const { timeZone } = await get('settings', '/api/v5/settings', settingsAnswer);
      return timeZone !== undefined && isZone(timeZone) ? timeZone : undefined;
    } catch (error) {
      if (isWithheld(error)) return zoneInstead(error.message, error);
      throw error;
    }
  }

  function zoneInstead(reason: string, error: Error = odd('settings')('timezone: expected the name of a time zone')) {
    const { fallbackZone, warn } = options;
    if (fallbackZone === undefined) throw error;
    warn?.({ zone: fallbackZone, reason }, 'RetailCRM does not tell the zone of its dates');
    return fallbackZone;
  }

  return { get, post, zone: accountZone, odd, site: options.site === undefined ? {} : { site: options.site } };
}

/** A plus is written as %2B, without which a phone would lose it. */
function formText(params: Params): string {
  return new URLSearchParams(
    Object.entries(params).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, String(one)]),
    ),
  ).toString();
}

/** The refusal itself where RetailCRM has no such thing; every other failure stays one. */
export async function orMissing<T>(answer: Promise<T>): Promise<T | RemoteError> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RemoteError && error.status === 404) return error;
    throw error;
  }
}
