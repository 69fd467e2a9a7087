import { isPrivateHost } from '../../config/private-host.ts';
import { defineGroup, type SettingsOf } from '../../config/settings.ts';
import { optional, type Parser, required, secret, text, zone } from '../../config/variables.ts';

/** Where 1C's web server publishes the interface, below the base's own address (1C developer's guide, 17.4). */
const ENDING = '/odata/standard.odata';

/**
 * 1C's address. Many bases are published over plain http inside an office, which the program cannot mend, so that http is
 * taken where the name cannot be one of the open Internet: this machine, private addresses, names without a dot and of
 * office zones. Anywhere else the password would be readable on its way.
 */
function odataUrl(): Parser<string> {
  return {
    expects:
      `an address that ends in ${ENDING} and begins with https:// (http:// only for this machine and for hosts of ` +
      'the office network), without user name and password',
    parse: (value) => {
      if (/[\s?#]/.test(value) || !URL.canParse(value)) return undefined;
      const url = new URL(value);
      const isSafe = url.protocol === 'https:' || (url.protocol === 'http:' && isPrivateHost(url.hostname));
      // The parsed form, since a base's name may be Cyrillic.
      const address = url.href.replace(/\/+$/, '');
      return isSafe && url.username === '' && url.password === '' && address.endsWith(ENDING) ? address : undefined;
    },
  };
}

/** How 1C is reached. */
export const onecSettings = defineGroup({
  ONEC_ODATA_URL: required(odataUrl()),
  /** Cyrillic as a rule. */
  ONEC_USER: required(text('the name of the 1C user, as the login window shows it')),
  /** Absent: the user has none, which 1C allows. */
  ONEC_PASSWORD: optional(secret()),
  /** The zone of the 1C server, whose dates carry none. Absent: TIMEZONE. */
  ONEC_TIMEZONE: optional(zone()),
});

export type OnecSettings = SettingsOf<typeof onecSettings>;
