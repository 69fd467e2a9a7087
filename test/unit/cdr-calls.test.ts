import { describe, expect, test } from 'vitest';
import type { Call, CdrRow } from '../../src/domain/call.ts';
import type { CdrSource } from '../../src/systems/asterisk/api.ts';
import { type CallsInOptions, callsIn } from '../../src/systems/asterisk/calls.ts';
import { type FoldRules, foldCalls } from '../../src/systems/asterisk/fold.ts';

const T0 = Date.parse('2026-09-14T00:00:00Z');
const HOUR = 3_600_000;
const DAY = { from: new Date(T0), to: new Date(T0 + 24 * HOUR) };

const rules: FoldRules = {
  ...{ extensions: new Set(), trunks: ['PJSIP/trunk-a'], internalLength: { min: 2, max: 4 }, outboundPrefix: '' },
  ...{ quietMs: 180_000, now: new Date(T0 + 48 * HOUR) },
};

/** An incoming row of the call `id`, which begins that many seconds after the day. */
function row(seconds: number, id: string, duration = 30): CdrRow {
  return {
    ...{ host: 'pbx1', uniqueid: id, linkedid: id, start: new Date(T0 + seconds * 1000), duration, billsec: 0 },
    ...{
      src: '79000000001',
      dst: '101',
      dcontext: '',
      channel: `PJSIP/trunk-a-${id}`,
      dstchannel: 'PJSIP/101-0000000b',
    },
    ...{ lastapp: 'Dial', lastdata: '', disposition: 'NO ANSWER' },
  };
}

/** Rows in memory, as a source gives them: those of the range, in order, in small chunks. */
function sourceOf(rows: readonly CdrRow[]): CdrSource {
  const sorted = rows.toSorted((one, other) => +one.start - +other.start);
  return {
    async *rows({ from, to }) {
      const found = sorted.filter(({ start }) => start >= from && start < to);
      for (let at = 0; at < found.length; at += 3) yield found.slice(at, at + 3);
    },
    rowsOf: async () => [],
    about: async () => ({ columns: [], newest: undefined }),
    close: async () => undefined,
  };
}

async function pagesOf(rows: readonly CdrRow[], options?: CallsInOptions): Promise<(readonly Call[])[]> {
  const pages = [];
  for await (const page of callsIn(sourceOf(rows), DAY, rules, options)) pages.push(page);
  return pages;
}

const idsOf = (pages: (readonly Call[])[]) => pages.flat().map(({ linkedid }) => linkedid);

describe('calls of a range', () => {
  test('are those that begin in it, each with all its rows', async () => {
    const pages = await pagesOf([
      row(-1, 'before'),
      row(5, 'before'),
      row(0, 'first'),
      row(86_399, 'last'),
      row(86_399 + 3600, 'last', 60),
      row(86_400, 'after'),
    ]);
    expect(idsOf(pages)).toEqual(['first', 'last']);
    expect(pages.flat().map(({ waitSeconds }) => waitSeconds)).toEqual([30, 3660]);
  });

  test('come in order of their beginning, in pages, however their rows are mixed', async () => {
    const rows = Array.from({ length: 40 }, (_, n) => [row(n * 600, `c${n}`), row(n * 600 + 4000, `c${n}`)]).flat();
    const pages = await pagesOf(rows, { longestMs: 2 * HOUR, pageSize: 7 });
    expect(idsOf(pages)).toEqual(Array.from({ length: 40 }, (_, n) => `c${n}`));
    expect(pages.map(({ length }) => length)).toEqual([7, 7, 7, 7, 7, 5]);
    expect(new Set(pages.flat().map(({ waitSeconds }) => waitSeconds))).toEqual(new Set([4030]));
  });

  test('let go of rows once no more are to come', async () => {
    let taken = 0;
    const source = sourceOf(Array.from({ length: 100 }, (_, n) => row(n * 60, `c${n}`)));
    const counted: CdrSource = {
      ...source,
      async *rows(range) {
        for await (const chunk of source.rows(range)) {
          taken += chunk.length;
          yield chunk;
        }
      },
    };
    const pages = callsIn(counted, DAY, rules, { longestMs: 600_000, pageSize: 10 });
    expect((await pages.next()).value).toHaveLength(10);
    expect(taken).toBeLessThanOrEqual(24);
  });

  test('are what all fields of their rows make of them', async () => {
    const full: CdrRow = {
      ...row(60, 'full', 40),
      ...{
        sequence: 3,
        answer: new Date(T0 + 70_500),
        end: new Date(T0 + 100_000),
        billsec: 30,
        disposition: 'ANSWERED',
      },
      ...{
        dcontext: 'ext-local',
        lastdata: 'x',
        did: '1',
        recordingfile: 'a.wav',
        cnum: '2',
        accountcode: '3',
        userfield: '4',
      },
    };
    expect((await pagesOf([full])).flat()).toEqual(foldCalls([full], rules));
  });

  test('are given once: rows that start later than any call lasts begin no other one', async () => {
    const pages = await pagesOf([row(0, 'long'), row(3600, 'other'), row(7 * 3600, 'long'), row(8 * 3600, 'long')]);
    expect(idsOf(pages)).toEqual(['long', 'other']);
    expect(idsOf(await pagesOf([row(-3600, 'before'), row(6 * 3600, 'before')]))).toEqual([]);
  });

  test('none at all give no page', async () => {
    expect(await pagesOf([])).toEqual([]);
  });
});
