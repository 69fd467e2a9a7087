import { parsePhone } from './phone.ts';

/** Codes of Belarus after 375: areas 15–17 and 21–23, mobiles 25, 29, 33 and 44. */
const belarusian = /^(1[5-7]|2[1-3]|25|29|33|44)\d{7}$/;

/**
 * The E.164 form of a number as exchanges and carriers write it, or undefined where it cannot be told: a number within a
 * town, a service, an extension. Beside what `parsePhone` reads: `80291234567` is Belarusian in any country, since no
 * Russian or Kazakh number has a 0 after its 8; `89161234567` is of the zone of 7, since no Belarusian one goes on like
 * that; `810…` and `00…` lead abroad; a plus may stand before any of these. `country` (ISO) is that of numbers
 * without a code.
 */
export function dialledPhone(text: string, country: string): string | undefined {
  if (!/^[-+()\d\s.]+$/.test(text)) return undefined;
  const digits = text.replace(/\D/g, '');
  const asWritten = text.trim().startsWith('+') ? parsePhone(`+${digits}`, country) : undefined;
  if (asWritten !== undefined) return asWritten;
  const full = withCode(digits, country);
  return full === undefined ? undefined : parsePhone(`+${full}`, country);
}

/** The digits with their country's code in front. */
function withCode(digits: string, country: string): string | undefined {
  if (/^(375\d{9}|7\d{10})$/.test(digits)) return digits;
  if (/^80\d{9}$/.test(digits)) return `375${digits.slice(2)}`;
  const abroad = /^(?:810|00)(\d{10,})$/.exec(digits)?.[1];
  if (abroad !== undefined) return abroad;
  if (country === 'BY') {
    if (/^0\d{9}$/.test(digits)) return `375${digits.slice(1)}`;
    if (belarusian.test(digits)) return `375${digits}`;
  }
  if (country === 'RU' || country === 'KZ') {
    if (/^8[1-9]\d{9}$/.test(digits)) return `7${digits.slice(1)}`;
    if (/^[3-9]\d{9}$/.test(digits)) return `7${digits}`;
  }
  // 8 800 is a free call in each country; the other leading digits are in use in the zone of 7 alone.
  if (/^8[3479]\d{9}$/.test(digits)) return `7${digits.slice(1)}`;
  return undefined;
}
