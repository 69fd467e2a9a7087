/** A text with places for values, its names already known to be right. */
export interface Template {
  /** As the operator wrote it. */
  readonly text: string;
  /** The names it uses, each once. */
  readonly names: readonly string[];
  readonly parts: readonly (string | { readonly name: string })[];
}

export type TemplateValue = string | number | boolean | null | undefined;

/**
 * Reads `Kaspi #{code}`: names in braces, dots allowed (`{customer.name}`, `{items.length}`). Gives the unknown names
 * instead, if there are any; a brace without its partner counts as one.
 */
export function parseTemplate(
  text: string,
  names: readonly string[],
): Template | { readonly unknown: readonly string[] } {
  const parts: Template['parts'][number][] = [];
  const unknown: string[] = [];
  for (const piece of text.match(/\{[^{}]*\}|[^{}]+|[{}]/g) ?? []) {
    const name = /^\{([^{}]*)\}$/.exec(piece)?.[1]?.trim();
    if (name === undefined) {
      parts.push(piece);
      unknown.push(...(/^[{}]$/.test(piece) ? [piece] : []));
    } else {
      parts.push({ name });
      unknown.push(...(names.includes(name) ? [] : [name]));
    }
  }
  const used = parts.flatMap((part) => (typeof part === 'string' ? [] : [part.name]));
  return unknown.length > 0 ? { unknown } : { text, names: [...new Set(used)], parts };
}

/** The text with its values in place, trimmed; a value that is null, undefined or absent leaves nothing. */
export function renderTemplate(template: Template, values: Readonly<Record<string, TemplateValue>>): string {
  return template.parts
    .map((part) => (typeof part === 'string' ? part : String(values[part.name] ?? '')))
    .join('')
    .trim();
}
