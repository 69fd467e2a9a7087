import { parse } from 'dotenv';

/**
 * An env file's text with these variables set. Comments, order and all other variables stay; a variable that is new goes
 * under the comment that shows it, else to the end. What cannot be said in an env file, or would change another variable,
 * is a fault that names the variable; the text is then not to be used.
 */
export function withVariables(
  text: string,
  values: Readonly<Record<string, string>>,
): { text: string; faults: readonly string[] } {
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = text.replace(/(\r?\n)+$/, '').split(/\r?\n/);
  const added: string[] = [];
  const faults: string[] = [];
  for (const [name, value] of Object.entries(values)) {
    const written = asWritten(value);
    if (written === undefined) {
      faults.push(`${name}: its value cannot be written into an env file`);
    } else if (!put(lines, name, `${name}=${written}`)) {
      added.push(`${name}=${written}`);
    }
  }
  const all = [...lines, ...(added.length > 0 ? ['', '# From settings:import', ...added] : [])];
  const changed = `${all.join(end).replace(/^(\r?\n)+/, '')}${end}`;
  return { text: changed, faults: [...faults, ...(faults.length > 0 ? [] : differences(text, changed, values))] };
}

/** The variables of an env file's text, empty ones too. */
export function variablesOf(text: string): Record<string, string> {
  // Editors on Windows put a byte-order mark there, and dotenv would take it for a part of the first name.
  return parse(text.replace(/^\uFEFF/, ''));
}

/** The value as the env file's own parser reads it back, in the plainest form that will do. */
function asWritten(value: string): string | undefined {
  const forms = [...(/^[^\s#'"`\\]+$/.test(value) ? [value] : []), `'${value}'`, `"${value}"`, `\`${value}\``];
  return forms.find((form) => parse(`X=${form}`).X === value);
}

/** The last line that sets a variable counts. */
function put(lines: string[], name: string, line: string): boolean {
  const set = lines.findLastIndex((one) => new RegExp(`^\\s*(?:export\\s+)?${name}\\s*=`).test(one));
  if (set >= 0) {
    const [, comment = ''] = /^[^'"`]*?(\s+#.*)$/.exec(lines[set] ?? '') ?? [];
    lines[set] = `${line}${comment}`;
    return true;
  }
  const shown = lines.findLastIndex((one) => new RegExp(`^\\s*#\\s*${name}\\s*=`).test(one));
  if (shown >= 0) lines.splice(shown + 1, 0, line);
  return shown >= 0;
}

/** A value may run over several lines, of which only the first was replaced; then what follows would be read as variables. */
function differences(before: string, after: string, values: Readonly<Record<string, string>>): string[] {
  const [was, is] = [variablesOf(before), variablesOf(after)];
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  const wrong = names.filter((name) => is[name] !== (values[name] ?? was[name]));
  return wrong.map((name) => `${name}: cannot be kept right in the env file; a value there may run over several lines`);
}
