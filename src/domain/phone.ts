// Importing this module loads 190 KB of numbering plans, some 10 ms: only code with records in hand may.
import parsePhoneNumber, { type CountryCode, isSupportedCountry } from 'libphonenumber-js/min';

/** What masks are drawn with: Kaspi hides phones of closed orders, people hide their own. Letter x: `+7 701 xxx xx 34`. */
const maskSigns = /[*•·●_?#]|[xх]{2}/i;

/**
 * The E.164 form of a phone as people and systems write it (`8 (701) 123-45-67`, `7011234567`, `80 29 123-45-67`,
 * `375291234567`); undefined for a mask, zeros, or what is no phone: never a guess. `country` (ISO, e.g. `KZ`) says how to read
 * a number without country code. Of several numbers in one field the first readable one counts.
 */
export function parsePhone(text: string, country: string): string | undefined {
  for (const candidate of text.split(/[,;\n]/)) {
    const phone = parseOne(candidate, country);
    if (phone !== undefined) {
      return phone;
    }
  }
  return undefined;
}

function parseOne(text: string, country: string): string | undefined {
  if (maskSigns.test(text)) {
    return undefined;
  }
  return valid(text, country) ?? withoutPlus(text);
}

function valid(text: string, country?: string): string | undefined {
  const known: CountryCode | undefined = country !== undefined && isSupportedCountry(country) ? country : undefined;
  const parsed = parsePhoneNumber(text, known === undefined ? {} : { defaultCountry: known });
  if (parsed === undefined || !(parsed.isValid() || inPlan(parsed.number))) {
    return undefined;
  }
  // Kaspi's mask is zeros all through; fillers keep the first digit of a real number.
  return /^\d0+$/.test(parsed.nationalNumber) ? undefined : parsed.number;
}

/**
 * Ranges are opened faster than libraries learn of them, and a buyer's real number must not be taken for a slip: in the
 * zones of +7 and +375 a full number with a leading digit that is in use counts, whatever the library's plan says.
 */
function inPlan(number: string): boolean {
  return /^\+(7[34789]\d{9}|375[1-4]\d{8})$/.test(number);
}

/** Numbers with the country code of Kazakhstan, Russia (7) or Belarus (375), whose plus was lost on the way. */
function withoutPlus(text: string): string | undefined {
  const digits = text.replace(/\D/g, '');
  return /^(7\d{10}|375\d{9})$/.test(digits) && !text.includes('+') ? valid(`+${digits}`) : undefined;
}

/** `+77011234567` → `+7********67`: for logs and tables. What is not E.164 is hidden whole. */
export function maskPhone(phone: string): string {
  const [, code, hidden, end] = /^(\+(?:7|375|[1-9]))(\d{4,})(\d{2})$/.exec(phone) ?? [];
  return code === undefined || hidden === undefined ? '***' : `${code}${'*'.repeat(hidden.length)}${end}`;
}
