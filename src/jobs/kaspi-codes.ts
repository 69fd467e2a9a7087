import { ORDER_STATES } from '../domain/order.ts';
import type { Template } from '../domain/template.ts';
import type { Deal } from '../systems/amocrm/schema.ts';

/** How a deal shows the code of its order. */
export interface CodePlaces {
  /** The text field that holds the code alone. */
  field: number | undefined;
  /** Finds the code in a name; its first group is the code. */
  name: RegExp | undefined;
}

/** A word with a digit in it: a name such as `Kaspi #скидка` is no order's. Digits today, but only text to us. */
const CODE = String.raw`([\p{L}\p{N}-]*\p{N}[\p{L}\p{N}-]*)`;
/** Managers write behind a name; what follows the code must not be more of it. */
const END = String.raw`(?![\p{L}\p{N}-])`;

/** The code of the order that a deal was made for; the field decides where it is filled. */
export function codeOf(deal: Pick<Deal, 'name' | 'fields'>, places: CodePlaces): string | undefined {
  if (places.field !== undefined) {
    const text = fieldText(deal, places.field);
    if (text !== '') return /^\S+$/.test(text) ? text : undefined;
  }
  return places.name?.exec(deal.name.trim())?.[1];
}

/** The text of a deal's custom field; empty where it is not filled. */
export function fieldText(deal: Pick<Deal, 'fields'>, fieldId: number): string {
  const filled = deal.fields.find((field) => field.fieldId === fieldId);
  return String(filled?.values[0]?.value ?? '').trim();
}

/** A pattern that an operator types: `{code}` where the code stands, `*` for anything. Undefined where it holds no `{code}`. */
export function namePattern(text: string): RegExp | undefined {
  const [before, after, ...more] = text.trim().split('{code}');
  if (before === undefined || after === undefined || more.length > 0) return undefined;
  return new RegExp(`^${wild(before)}${CODE}${END}${wild(after)}`, 'iu');
}

/** The names that the mapping's template gives; undefined where it holds no code. */
export function nameOfTemplate(template: Template): RegExp | undefined {
  const at = template.parts.findIndex((part) => typeof part !== 'string' && part.name === 'code');
  if (at < 0) return undefined;
  const before = template.parts.slice(0, at).map((part) => (typeof part === 'string' ? escaped(part) : '.*?'));
  // What stands behind the code may be anything: managers write there.
  return new RegExp(`^${before.join('').trimStart()}${CODE}${END}`, 'iu');
}

/** Whether a template of the mapping may have given this tag for this order; such a tag is ours to take away again. */
export function mayBeTag(tag: string, template: Template, code: string): boolean {
  const pattern = template.parts.map((part) => {
    if (typeof part === 'string') return escaped(part);
    if (part.name === 'code') return escaped(code);
    // No other value is told by its look, and a person's tag must not be taken for ours.
    return part.name === 'state' ? `(?:${ORDER_STATES.join('|')})` : '(?!)';
  });
  return new RegExp(`^${pattern.join('').trim()}$`, 'iu').test(tag.trim());
}

function wild(text: string): string {
  return text.split('*').map(escaped).join('.*?');
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
}
