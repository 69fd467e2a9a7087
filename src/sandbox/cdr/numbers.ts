import type { Chance } from './chance.ts';

export type Country = 'BY' | 'RU' | 'KZ';

/** A client: whose number it is, and how the PBX's lines and managers spell it. */
export interface Client {
  country: Country;
  /** Without the plus. */
  digits: string;
}

/** Codes of mobile operators; the seven digits after them are made up. */
const CODES: Readonly<Record<Country, readonly string[]>> = {
  BY: ['37525', '37529', '37533', '37544'],
  RU: ['7903', '7916', '7926', '7985'],
  KZ: ['7701', '7705', '7747', '7777'],
};

/** Most clients are of the firm's own country. */
const NEIGHBOURS: Readonly<Record<Country, readonly Country[]>> = {
  BY: ['BY', 'BY', 'BY', 'BY', 'RU', 'KZ'],
  RU: ['RU', 'RU', 'RU', 'RU', 'BY', 'KZ'],
  KZ: ['KZ', 'KZ', 'KZ', 'KZ', 'RU', 'BY'],
};

/** Distinct indexes below half a million give distinct clients: 7919 is prime to the range, and 5 starts every number. */
export function clientOf(index: number, home: Country, random: Chance): Client {
  const country = random.pick(NEIGHBOURS[home], home);
  const code = random.pick(CODES[country], '7903');
  return { country, digits: `${code}5${String((index * 7919 + 1234) % 1_000_000).padStart(6, '0')}` };
}

/** With the country code, in every spelling that lines use. */
function full(digits: string): string[] {
  return [`+${digits}`, digits, `810${digits}`];
}

/** A number as it is spelt at home; what is ambiguous where the firm is does not occur. */
function national({ country, digits }: Client, home: Country): string[] {
  if (country === 'BY') {
    const rest = digits.slice(3);
    // Neither Russian nor Kazakh numbers have a 0 after the 8.
    return home === 'BY' ? [`80${rest}`, `0${rest}`, rest] : [`80${rest}`];
  }
  const rest = digits.slice(1);
  // Ten digits of these mean nothing to a Belarusian exchange.
  return home === 'BY' ? [`8${rest}`] : [`8${rest}`, rest];
}

/** How a line delivers the caller: also as a SIP address where a trunk passes it through. */
export function callerSpellings(client: Client, home: Country): string[] {
  const { digits } = client;
  return [
    `00${digits}`,
    ...full(digits),
    ...national(client, home),
    digits,
    `+${digits}`,
    `sip:+${digits}@10.0.0.7;user=phone`,
  ];
}

/** How managers dial. */
export function dialledSpellings(client: Client, home: Country): string[] {
  const short = national(client, home).filter((text) => text.startsWith('8'));
  return [...full(client.digits), ...short, ...short];
}
