import { defineGroup, type SettingsOf } from '../../config/settings.ts';
import { baseUrl, optional, type Parser, required, text, token, url, withDefault } from '../../config/variables.ts';

/** One RetailCRM (Simla) account. */
export const retailcrmSettings = defineGroup({
  /** Kept without `/api/v5`: some methods stand beside the version (API v5, vendor's PHP client, read 2026-11). */
  RETAILCRM_API_URL: required(accountUrl()),
  RETAILCRM_API_KEY: required(token()),
  /** The store's symbolic code; asked for by RetailCRM where the key sees more than one store (API rules, read 2026-11). */
  RETAILCRM_SITE: optional(siteCode()),
});

export type RetailcrmSettings = SettingsOf<typeof retailcrmSettings>;

/** What `retail:register` registers as the telephony module. */
export const moduleSettings = defineGroup({
  /** Part of an address (`integration-modules/{code}/edit`; vendor's PHP client, read 2026-11). */
  RETAILCRM_MODULE_CODE: withDefault('sdelka', moduleCode()),
  RETAILCRM_MODULE_NAME: withDefault('sdelka', text('the name that managers see')),
  /** SVG. Absent: the one that the intake serves. */
  RETAILCRM_MODULE_LOGO: optional(url()),
  /** What RetailCRM sends with a click-to-call. Absent: made by `retail:register`. */
  RETAILCRM_CLIENT_ID: optional(token()),
  /** Where the intake is reached from outside. */
  PUBLIC_URL: optional(baseUrl()),
});

function moduleCode(): Parser<string> {
  return {
    expects: 'a code of Latin letters, digits, "_" and "-", such as sdelka',
    parse: (value) => (/^[A-Za-z0-9][\w-]{0,63}$/.test(value) ? value : undefined),
  };
}

/** Where an account is: kept without `/api/v5`. */
export function accountUrl(): Parser<string> {
  const address = baseUrl();
  return {
    expects: 'the address of the account, such as https://example.retailcrm.ru (http:// only for this machine)',
    parse: (value) => {
      const parsed = address.parse(value)?.replace(/\/api(\/v5)?$/, '');
      return parsed !== undefined && new URL(parsed).pathname === '/' ? parsed : undefined;
    },
  };
}

/** The symbolic code of a store. */
export function siteCode(): Parser<string> {
  return {
    expects: 'the symbolic code of a store, such as main',
    parse: (value) => (/^[\w.-]{1,255}$/.test(value) ? value : undefined),
  };
}
