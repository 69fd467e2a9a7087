import { defineGroup, type SettingsOf } from '../../config/settings.ts';
import { baseUrl, optional, type Parser, required, token } from '../../config/variables.ts';

/** One RetailCRM (Simla) account. */
export const retailcrmSettings = defineGroup({
  /** Kept without `/api/v5`: some methods stand beside the version (API v5, vendor's PHP client, read 2026-11). */
  RETAILCRM_API_URL: required(accountUrl()),
  RETAILCRM_API_KEY: required(token()),
  /** The store's symbolic code; asked for by RetailCRM where the key sees more than one store (API rules, read 2026-11). */
  RETAILCRM_SITE: optional(siteCode()),
});

export type RetailcrmSettings = SettingsOf<typeof retailcrmSettings>;

function accountUrl(): Parser<string> {
  const address = baseUrl();
  return {
    expects: 'the address of the account, such as https://example.retailcrm.ru (http:// only for this machine)',
    parse: (value) => {
      const parsed = address.parse(value)?.replace(/\/api(\/v5)?$/, '');
      return parsed !== undefined && new URL(parsed).pathname === '/' ? parsed : undefined;
    },
  };
}

function siteCode(): Parser<string> {
  return {
    expects: 'the symbolic code of a store, such as main',
    parse: (value) => (/^[\w.-]{1,255}$/.test(value) ? value : undefined),
  };
}
