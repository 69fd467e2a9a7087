/** One line of a file of call records, or several where a quoted text has line breaks; `fields` undefined: a broken one. */
export interface CsvRecord {
  text: string;
  fields: readonly string[] | undefined;
}

/**
 * Longer than any record: cdr_csv's buffer is 1024 bytes, a cdr_custom line some thousand. What has not ended by then is broken.
 * Source: Asterisk's cdr_csv.c.
 */
const LONGEST = 16_384;

const quoted = /"([^"]*(?:""[^"]*)*)"/y;
const bare = /[^,"\r\n]*/y;

/**
 * Text in pieces → records. A last line that does not end is still being written and is left out. Where a line is broken (the disk
 * was full, the machine was switched off), reading goes on with the next one.
 */
export async function* csvRecords(pieces: AsyncIterable<string>): AsyncGenerator<readonly CsvRecord[]> {
  let rest = '';
  for await (const piece of pieces) {
    const { records, next, text } = take(rest + piece, false);
    rest = text.slice(next);
    yield records;
  }
  yield take(rest, true).records;
}

function take(text: string, isEnd: boolean): { records: CsvRecord[]; next: number; text: string } {
  const records: CsvRecord[] = [];
  let next = 0;
  while (next < text.length) {
    const found = recordAt(text, next);
    if (found !== undefined) {
      if (found.fields.join('') !== '') records.push({ text: text.slice(next, found.end), fields: found.fields });
      next = found.end;
      continue;
    }
    const lineEnd = text.indexOf('\n', next) + 1;
    if (lineEnd === 0 || !(isEnd || text.length - next > LONGEST)) break;
    records.push({ text: text.slice(next, lineEnd), fields: undefined });
    next = lineEnd;
  }
  return { records, next, text };
}

/** The record that begins at a place; undefined where it does not end, or not as a record does. */
function recordAt(text: string, begin: number): { fields: string[]; end: number } | undefined {
  const fields: string[] = [];
  for (let at = begin; at < text.length && at - begin < LONGEST; ) {
    const pattern = text[at] === '"' ? quoted : bare;
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return undefined;
    fields.push(match[1] === undefined ? match[0] : match[1].replaceAll('""', '"'));
    at = pattern.lastIndex;
    if (text.startsWith('\r\n', at)) return { fields, end: at + 2 };
    if (text[at] === '\n') return { fields, end: at + 1 };
    if (text[at] !== ',') return undefined;
    at += 1;
  }
  return undefined;
}
