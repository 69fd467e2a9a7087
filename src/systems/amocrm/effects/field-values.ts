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
): FieldWrite[] {
  const byId = new Map(fields.map((field) => [field.id, field]));
  return ids.map((id) => ({ fieldId: Number(id), values: [fieldValue(texts[id] ?? '', byId.get(Number(id)))] }));
}

function fieldValue(
  text: string,
  field: Field | undefined,
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
      return { value: dateOr(text) };
    default:
      return { value: text };
  }
}

function numberOr(text: string): number | string {
  const number = Number(text.replace(',', '.').replace(/\s/g, ''));
  return Number.isFinite(number) ? number : text;
}

/** Templates write dates as `dd.mm.yyyy HH:MM`; amoCRM takes unix seconds. */
function dateOr(text: string): number | string {
  const [, day, month, year, hour = '00', minute = '00'] =
    /^(\d{2})\.(\d{2})\.(\d{4})(?: (\d{2}):(\d{2}))?$/.exec(text) ?? [];
  if (day === undefined) return text;
  return Math.floor(Date.parse(`${year}-${month}-${day}T${hour}:${minute}:00Z`) / 1000);
}
