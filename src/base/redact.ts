/** Shorter values are no secrets worth the name, and replacing them would make every line unreadable. */
const SHORTEST_SECRET = 6;
const LONGEST_TEXT = 4096;
const DEEPEST = 8;

/**
 * Phones as they are written where this program works. Digits alone count only with a trunk prefix or a mobile code
 * of KZ, RU or BY in front, so that order codes (10 digits from 10…), ids and times stay readable.
 */
const PHONES = [
  /\+\d[\d ()-]{8,18}\d/g,
  /(?<!\w|\d\.)[78][ -]?\(?[34789]\d\d\)?[ -]?\d{3}[ -]?\d\d[ -]?\d\d(?!\w|\.\d)/g,
  /(?<!\w|\d\.)(?:375[ -]?|80)\(?(?:25|29|33|44|17)\)?[ -]?\d{3}[ -]?\d\d[ -]?\d\d(?!\w|\.\d)/g,
  /(?<!\w|\d\.)7(?:0\d|4\d|7\d|6\d)\d{7}(?!\w|\.\d)/g,
];

const EMAIL = /[\p{L}\d._%+-]+@[\p{L}\d-]+(?:\.[\p{L}\d-]+)+/gu;

const secrets = new Set<string>();
/** Every form of every secret, longest first, so that a secret which contains another one goes as a whole. */
let forms: string[] = [];

/**
 * Makes a value known as a secret to every log line written from now on, also in its base64, URL-encoded and JSON-escaped
 * forms. Values of fewer than 6 characters are ignored.
 */
export function registerSecret(value: string): void {
  if (value.length < SHORTEST_SECRET || secrets.has(value)) {
    return;
  }
  secrets.add(value);
  forms = [...new Set([...forms, ...formsOf(value)])].sort((a, b) => b.length - a.length);
}

function formsOf(value: string): string[] {
  const base64 = Buffer.from(value).toString('base64');
  const encoded = [base64, ...embeddedBase64(value)].flatMap((text) => [
    text,
    text.replaceAll('+', '-').replaceAll('/', '_'),
  ]);
  return [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1), ...encoded].filter(
    (form) => form.length >= SHORTEST_SECRET,
  );
}

/** What base64 makes of the value inside a longer text, such as `user:password` of basic authentication: three alignments. */
function embeddedBase64(value: string): string[] {
  return [0, 1, 2].map((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]);
    return bytes.toString('base64').slice(Math.ceil((before * 8) / 6), Math.floor((bytes.length * 8) / 6));
  });
}

/** The text without known secrets, with phones and e-mails masked, cut at 4096 characters. */
export function cleanText(text: string): string {
  const whole = forms.reduce((rest, form) => rest.replaceAll(form, '[redacted]'), text);
  return cut(PHONES.reduce((rest, pattern) => rest.replace(pattern, maskPhone), whole.replace(EMAIL, maskEmail)));
}

/** A copy of a log record or of anything else made of plain values, every text in it (keys too) cleaned. */
export function cleanValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') {
    return cleanText(value);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (depth >= DEEPEST) {
    return '[deeper]';
  }
  if (Array.isArray(value)) {
    return value.map((item) => cleanValue(item, depth + 1));
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [cleanText(key), cleanValue(item, depth + 1)]));
}

function cut(text: string): string {
  return text.length <= LONGEST_TEXT
    ? text
    : `${text.slice(0, LONGEST_TEXT)}… (${text.length - LONGEST_TEXT} more characters)`;
}

/** `+77011234567` becomes `+7********67`: enough to tell two people apart beside a record's id, not enough to call. */
function maskPhone(phone: string): string {
  const digits = phone.replace(/\D/g, '');
  const plus = phone.startsWith('+') ? '+' : '';
  const country = digits.startsWith('375') ? '375' : digits.startsWith('80') && digits.length === 11 ? '80' : digits[0];
  return `${plus}${country}${'*'.repeat(digits.length - (country?.length ?? 0) - 2)}${digits.slice(-2)}`;
}

function maskEmail(email: string): string {
  return `${email[0]}***@***${email.slice(email.lastIndexOf('.'))}`;
}
