import type { Field } from '../schema.ts';
import type { FieldWrite } from '../write.ts';

/**
 * Texts of the mapping's templates as amoCRM wants them by field type. A choice is sent by its id where the text is one
 * of the choices; what does not fit is sent as text, and amoCRM's refusal names the field.
 */
export function fieldWrites(
  texts: { [fieldId: string]: string },
  ids: readonly string[],
  fields: readonly Field[],
  zone: string,
): FieldWrite[] {
  const byId = new Map(fields.map((field) => [field.id, field]));
  return ids.map((id) => ({ fieldId: Number(id), values: [fieldValue(texts[id] ?? '', byId.get(Number(id)), zone)] }));
}

/** One text as one value. */
export function fieldValue(
  text: string,
  field: Field | undefined,
  zone: string,
): FieldWrite['values'] extends readonly (infer V)[] | null ? V : never {
  switch (field?.type) {
    case 'numeric':
    case 'price':
    case 'monetary':
      return { value: numberOr(text) };
    case 'checkbox':
      return { value: /^(1|true|yes|да)$/i.test(text) };
    case 'select':
    case 'radiobutton':
    case 'multiselect': {
      const choice = field.enums.find(({ value }) => value.trim().toLowerCase() === text.toLowerCase());
      return choice === undefined ? { value: text } : { enumId: choice.id };
    }
    case 'date':
    case 'date_time':
    case 'birthday':
      return { value: dateOr(text, zone) };
    default:
      return { value: text };
  }
}

function numberOr(text: string): number | string {
  const number = Number(text.replace(',', '.').replace(/\s/g, ''));
  return Number.isFinite(number) ? number : text;
}

/** Templates write dates as `dd.mm.yyyy HH:MM` in the operator's zone; amoCRM takes unix seconds. */
function dateOr(text: string, zone: string): number | string {
  const [, day, month, year, hour = '00', minute = '00'] =
    /^(\d{2})\.(\d{2})\.(\d{4})(?: (\d{2}):(\d{2}))?$/.exec(text) ?? [];
  if (day === undefined) return text;
  const asIfUtc = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:00Z`);
  return Math.floor((asIfUtc - offsetAt(asIfUtc, zone)) / 1000);
}

/** How far the zone's clocks are ahead of UTC, in milliseconds; right but within hours of a change of clocks. */
function offsetAt(at: number, zone: string): number {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  return Date.parse(`${format.format(at).replace(' ', 'T')}Z`) - at;
}
