import type { Json } from '../../../base/schema.ts';
import type { OnecMapping } from '../../../config/mapping-onec-types.ts';
import type { CreatePayload } from './payloads.ts';

const HIDDEN = '***';

/**
 * Field by field, for dry runs: a counterparty's own data are hidden, and a document's phone, e-mail and comment. References that
 * other effects of the plan give are shown as those effects' keys.
 */
export function describeCreate(
  mapping: OnecMapping,
  { set, body, refs, existing }: CreatePayload,
): Record<string, Json> {
  const hidden = hiddenIn(mapping, set);
  const fields: Record<string, Json> = { set, ...(existing === undefined ? {} : { existing }) };
  for (const [name, value] of Object.entries(body)) {
    if (hidden(name)) fields[name] = HIDDEN;
    else if (!Array.isArray(value)) fields[name] = value;
    else
      value.forEach((row, index) => {
        fields[`${name}.${index + 1}`] = typeof row === 'object' && row !== null ? JSON.stringify(row) : row;
      });
  }
  for (const [path, key] of Object.entries(refs))
    fields[path.replace(/\.(\d+)\./, (_, at) => `.${Number(at) + 1}.`)] = `→ ${key}`;
  return fields;
}

function hiddenIn({ catalogs, documents, constants }: OnecMapping, set: string): (name: string) => boolean {
  if (set === catalogs.counterparty.set) {
    const plain = new Set([catalogs.counterparty.legalForm, ...Object.keys(constants.counterparty)]);
    return (name) => !plain.has(name);
  }
  const mapping = Object.values(documents).find((one) => one?.set === set);
  const personal = new Set([mapping?.phone, mapping?.email, mapping?.comment, mapping?.reason]);
  return (name) => personal.has(name);
}
