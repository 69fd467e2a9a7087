import type { Output } from '../commands/define.ts';
import type { FdWriter } from './fd.ts';

export interface OutputOptions {
  writer: FdWriter;
  /** Whether stdout is a terminal. */
  terminal: boolean;
  json: boolean;
  /** Columns of the terminal, asked for when a table is fitted to it; undefined or 0 where it does not tell. */
  columns?: () => number | undefined;
}

/** What terminals have where nobody has made them wider. */
const NARROW = 80;

/** No frames: what is shown fits a narrow SSH window and can be copied. */
const PLAIN = {
  chars: Object.fromEntries(
    ['top', 'bottom', 'left', 'right', 'mid']
      .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
      .concat('left-mid', 'mid-mid', 'right-mid')
      .map((name) => [name, '']),
  ),
  style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
};

/** stdout for results; one JSON document with `--json`, indented where a person reads it. */
export function createOutput({ writer, terminal, json, columns }: OutputOptions): Output {
  return {
    isTerminal: terminal && !json,
    json,
    get width() {
      return columns?.() || NARROW;
    },
    result: async (value, render) => {
      if (terminal && !json && render !== undefined) {
        writer.write(withNewline(await render()));
        return;
      }
      writer.write(withNewline(JSON.stringify(value, undefined, terminal ? 2 : undefined)));
    },
    line: (text) => writer.write(`${text}\n`),
    table: async (head, rows) => {
      const { default: Table } = await import('cli-table3');
      const table = new Table({ ...PLAIN, chars: { ...PLAIN.chars, middle: '  ' }, head: [...head] });
      table.push(...rows.map((row) => [...row]));
      return table
        .toString()
        .split('\n')
        .map((line) => line.trimEnd())
        .join('\n');
    },
  };
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
