import { assert } from '../../base/errors.ts';
import { defineGroup, type SettingsOf } from '../../config/settings.ts';
import { date, id, integer, optional, originUrl, text, token, url, withDefault } from '../../config/variables.ts';

const oauthClient = ['AMO_CLIENT_ID', 'AMO_CLIENT_SECRET', 'AMO_REDIRECT_URI'] as const;

/** One amoCRM or Kommo account, by a long-lived token or an OAuth integration. */
export const amoSettings = defineGroup(
  {
    AMO_BASE_URL: optional(originUrl('https://example.amocrm.ru')),
    /** For accounts at amocrm.ru; others (kommo.com) give AMO_BASE_URL, which wins. */
    AMO_SUBDOMAIN: optional(subdomain()),
    AMO_CLIENT_ID: optional(text()),
    AMO_CLIENT_SECRET: optional(token()),
    /** Kept as written: amoCRM compares it with the integration's letter by letter. */
    AMO_REDIRECT_URI: optional(url()),
    AMO_ACCESS_TOKEN: optional(token()),
    AMO_REFRESH_TOKEN: optional(token()),
    AMO_LONG_LIVED_TOKEN: optional(token()),
    AMO_LONG_LIVED_TOKEN_EXPIRES: optional(date()),
    AMO_PIPELINE_ID: optional(id()),
    AMO_STATUS_ID: optional(id()),
    AMO_RESPONSIBLE_USER_ID: optional(id()),
    AMO_CATALOG_ID: optional(id()),
    /** amoCRM allows 7 requests a second to one integration and blocks who ignores it; stand-ins take more. */
    AMO_RPS: withDefault('6', integer(1, 1000)),
  },
  (given) => {
    const faults: string[] = [];
    if (!given('AMO_BASE_URL') && !given('AMO_SUBDOMAIN')) {
      faults.push('AMO_BASE_URL: missing; expected the address of the account, or AMO_SUBDOMAIN');
    }
    if (given('AMO_LONG_LIVED_TOKEN')) {
      return faults;
    }
    const absent = oauthClient.filter((name) => !given(name));
    if (absent.length === oauthClient.length) {
      faults.push(`AMO_LONG_LIVED_TOKEN: missing; expected it, or ${oauthClient.join(', ')} together`);
    } else {
      faults.push(...absent.map((name) => `${name}: missing; the OAuth integration needs ${oauthClient.join(', ')}`));
    }
    if (given('AMO_ACCESS_TOKEN') && !given('AMO_REFRESH_TOKEN')) {
      faults.push(
        'AMO_REFRESH_TOKEN: missing; it comes with AMO_ACCESS_TOKEN (a long-lived token belongs in AMO_LONG_LIVED_TOKEN)',
      );
    }
    return faults;
  },
);

export type AmoSettings = SettingsOf<typeof amoSettings>;

/** The account's address without a slash at its end, from AMO_BASE_URL or AMO_SUBDOMAIN (amoCRM: `<subdomain>.amocrm.ru`). */
export function amoBaseUrl(settings: Pick<AmoSettings, 'AMO_BASE_URL' | 'AMO_SUBDOMAIN'>): string {
  const { AMO_BASE_URL, AMO_SUBDOMAIN } = settings;
  assert(AMO_BASE_URL !== undefined || AMO_SUBDOMAIN !== undefined, 'amoCRM settings were used unchecked');
  return AMO_BASE_URL ?? `https://${AMO_SUBDOMAIN}.amocrm.ru`;
}

function subdomain() {
  return {
    expects: 'the first part of the account address alone, such as example for example.amocrm.ru',
    parse: (value: string) => (/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i.test(value) ? value.toLowerCase() : undefined),
  };
}
