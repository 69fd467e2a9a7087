/** An amount in hundredths of a currency unit (tiyn, kopecks): an exact integer. */
export interface Money {
  readonly minor: number;
  readonly currency: 'KZT' | 'RUB' | 'BYN';
}

/**
 * Minor units of an amount that a remote system gives as a JSON number in whole units (Kaspi: `15980.0`, `96045`).
 * Rounds half away from zero to the nearest hundredth as the number is written: 1.005 gives 101, where
 * `Math.round(1.005 * 100)` would give 100. Undefined for what is no finite number or too large to be exact.
 */
export function minorFromNumber(amount: number): number | undefined {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(plainText(amount)) ?? [];
  if (whole === '') {
    return undefined;
  }
  const hundredths = Number(whole + fraction.padEnd(2, '0').slice(0, 2));
  const rounded = hundredths + (fraction.charAt(2) >= '5' ? 1 : 0);
  // Minus nothing is nothing: -0 would be written as "-0" in some texts.
  const signed = sign === '-' && rounded !== 0 ? -rounded : rounded;
  return Number.isSafeInteger(signed) ? signed : undefined;
}

/** The shortest text that stands for this number, without an exponent where that is possible. */
function plainText(amount: number): string {
  // Below a millionth JavaScript writes an exponent; no such amount reaches a hundredth.
  return Math.abs(amount) < 1e-6 ? '0' : String(amount);
}

/** `1598000` → `15980`, `1598050` → `15980.5`: whole units as remote systems take them. */
export function numberFromMinor(minor: number): number {
  return minor / 100;
}

/** `1598000` → `15 980`, `1598050` → `15 980,50` (`ru`) or `15 980.50` (`en`): for texts that people read. */
export function formatMinor(minor: number, locale: 'ru' | 'en' = 'ru'): string {
  const size = Math.abs(minor);
  const whole = String(Math.floor(size / 100)).replace(/\B(?=(\d{3})+$)/g, ' ');
  const cents = size % 100 === 0 ? '' : `${locale === 'ru' ? ',' : '.'}${String(size % 100).padStart(2, '0')}`;
  return `${minor < 0 ? '-' : ''}${whole}${cents}`;
}
