/** A column of a table that is fitted to the terminal. */
export interface Column<Row> {
  head: string;
  text(row: Row): string;
  /** What stands in the cell once it is cut: the same text in colour. */
  paint?(row: Row, text: string): string;
  right?: boolean;
  /** It may be cut to this many characters. */
  least?: number;
  /** Where the table is too wide all the same, columns go in this order, the lowest first; absent: it stays. */
  drop?: number;
}

const GAP = 2;

/** Head and cells that fit the width, in characters: long texts are cut first, then columns left out. Pure. */
export function fitTable<Row>(
  all: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
): { head: string[]; rows: string[][] } {
  const natural = new Map(
    all.map((column) => [
      column,
      Math.max(...[column.head, ...rows.map((row) => column.text(row))].map((text) => lengthOf(text))),
    ]),
  );
  const naturalOf = (column: Column<Row>) => natural.get(column) ?? 0;
  const leastOf = (column: Column<Row>) => Math.min(naturalOf(column), column.least ?? Number.POSITIVE_INFINITY);
  const columns = [...all];
  while (spanOf(columns.map(leastOf)) > width) {
    const [first] = columns.filter(({ drop }) => drop !== undefined).sort((a, b) => (a.drop ?? 0) - (b.drop ?? 0));
    if (first === undefined) break;
    columns.splice(columns.indexOf(first), 1);
  }
  const widths = columns.map(naturalOf);
  for (let over = spanOf(widths) - width; over > 0; over--) {
    const [widest] = columns
      .map((column, at) => ({ at, spare: (widths[at] ?? 0) - leastOf(column) }))
      .sort((a, b) => b.spare - a.spare);
    if (widest === undefined || widest.spare <= 0) break;
    widths[widest.at] = (widths[widest.at] ?? 0) - 1;
  }
  return {
    head: columns.map((column, at) => placed(column, column.head, widths[at] ?? 0)),
    rows: rows.map((row) =>
      columns.map((column, at) => {
        const text = placed(column, column.text(row), widths[at] ?? 0);
        return column.paint?.(row, text) ?? text;
      }),
    ),
  };
}

function spanOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP * Math.max(0, widths.length - 1);
}

function placed({ right = false }: { right?: boolean }, text: string, width: number): string {
  const cut = lengthOf(text) <= width ? text : `${[...text].slice(0, Math.max(0, width - 1)).join('')}…`;
  return right ? cut.padStart(width) : cut;
}

function lengthOf(text: string): number {
  return [...text].length;
}

type Colour = 'green' | 'magenta' | 'onRed';
const CODES: Readonly<Record<Colour, number>> = { green: 32, magenta: 35, onRed: 41 };

/** A text in colour; as it is where colours are off. */
export type Paint = (text: string, colour: Colour) => string;

export function painter(on: boolean): Paint {
  return (text, colour) => (on && text !== '' ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text);
}
