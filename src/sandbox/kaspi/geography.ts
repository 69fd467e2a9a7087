import { base64Id } from './model.ts';

export interface City {
  id: string;
  code: string;
  name: string;
  active: boolean;
}

function city(code: string, name: string): City {
  return { id: base64Id(code), code, name, active: true };
}

/** A few of Kaspi's 453 cities; codes in the national register's form. */
export const CITIES: readonly City[] = [
  city('750000000', 'Алматы'),
  city('710000000', 'Астана'),
  city('790000000', 'Шымкент'),
  city('351010000', 'Караганда'),
  city('151010000', 'Актобе'),
  city('311010000', 'Тараз'),
  city('551010000', 'Павлодар'),
  city('631010000', 'Усть-Каменогорск'),
  city('231010000', 'Атырау'),
  city('391010000', 'Костанай'),
  city('431010000', 'Кызылорда'),
  city('271010000', 'Уральск'),
];

/** An address in Kaspi's form; `formattedAddress` is what a person reads, without the stray blanks of the parts. */
export function pointAddress(
  town: string,
  streetName: string,
  streetNumber: string,
  apartment: string | null,
): Record<string, unknown> {
  return {
    streetName,
    streetNumber,
    town,
    district: null,
    building: null,
    apartment,
    formattedAddress: [town, streetName, streetNumber].map((part) => part.trim()).join(', '),
    latitude: 43.24,
    longitude: 76.91,
  };
}
