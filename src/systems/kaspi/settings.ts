import { defineGroup, type SettingsOf } from '../../config/settings.ts';
import { baseUrl, boolean, integer, listOf, required, token, withDefault } from '../../config/variables.ts';

/** Address and page size as in Kaspi's merchant API guide (shop/api/v2, page[size] up to 100; seen 2026-09). */
export const kaspiSettings = defineGroup({
  KASPI_API_URL: withDefault('https://kaspi.kz/shop/api/v2', baseUrl()),
  KASPI_API_TOKEN: required(token()),
  /** Orders in other states make no new deal. */
  KASPI_ALLOWED_STATES: withDefault(
    'NEW,SIGN_REQUIRED,PICKUP,DELIVERY,KASPI_DELIVERY',
    listOf('NEW', 'SIGN_REQUIRED', 'PICKUP', 'DELIVERY', 'KASPI_DELIVERY', 'ARCHIVE'),
  ),
  KASPI_PAGE_SIZE: withDefault('100', integer(1, 100)),
  KASPI_PUSH: withDefault('false', boolean()),
});

export type KaspiSettings = SettingsOf<typeof kaspiSettings>;
