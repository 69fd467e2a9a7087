import { describe, expect, test } from 'vitest';
import { setMeta } from '../../src/state/meta.ts';
import { open } from '../support/cut-loop.ts';
import { freshDatabase } from '../support/databases.ts';
import {
  clearJournals,
  EXPORT,
  newDocuments,
  ONEC_MAPPING,
  refAt,
  STAGES,
  seen,
  WORK_ORDER,
  writesOf,
} from '../support/onec-stream.ts';
import type { World } from '../support/world.ts';

const DAY_MS = 86_400_000;

/** Six documents that were exported a minute ago, one of them with a long recommendation. */
async function exported(): Promise<World> {
  const scene = newDocuments();
  const one = await open('sqlite', scene.options);
  await scene.prepare(one);
  await one.settle({ jobs: [EXPORT] });
  clearJournals(one);
  one.clock.advance(60_000);
  return one;
}

describe('what was exported once', () => {
  test('a database that was lost: a new one binds what 1C names, and writes nothing to either side', async () => {
    const one = await exported();
    const before = await seen(one);
    const other = await freshDatabase('sqlite');
    const born = new Date(one.clock.now().getTime() - 1000);
    await other.database.transaction((tx) => setMeta(tx, 'database_born', born.toISOString(), born));
    const again = { ...EXPORT, env: { DATABASE_URL: other.url } };
    expect((await one.run(again)).exit).toBe(0);
    expect([writesOf(one), await seen(one)]).toEqual([[], before]);
    clearJournals(one);
    one.clock.advance(60_000);
    await one.run(again);
    expect(one.amo.journal.length + one.onec().journal.length).toBeLessThanOrEqual(5);
    await other.dispose();
  });

  test('a database that was lost and a document that changed meanwhile: the difference is sent, the note is not made again', async () => {
    const one = await exported();
    const base = one.onec().standin;
    base.edit({
      set: WORK_ORDER,
      ref: refAt(base, WORK_ORDER, 0),
      changes: { ОписаниеПричиныОбращения: 'Стук слева' },
    });
    const other = await freshDatabase('sqlite');
    const born = new Date(one.clock.now().getTime() - 1000);
    await other.database.transaction((tx) => setMeta(tx, 'database_born', born.toISOString(), born));
    one.clock.advance(60_000);
    await one.run({ ...EXPORT, env: { DATABASE_URL: other.url } });
    const deal = one.outcome().deals.find(({ notes }) => notes.length > 0);
    expect(deal?.notes).toHaveLength(1);
    expect(Object.values(deal?.fields ?? {})).toContain('Стук слева');
    expect(writesOf(one).filter((line) => line.includes('/api/v4/'))).toEqual(['PATCH /api/v4/leads']);
    await other.dispose();
  });

  test.each(['property', 'field'])('an old document that changes is seen by the %s alone', async (strategy) => {
    const one = await exported();
    await one.remap(`${ONEC_MAPPING}  changes: { strategy: [${strategy}], field: ДатаОперации }\n`);
    one.clock.advance(5 * DAY_MS);
    await one.run(EXPORT);
    one.clock.advance(60 * 60_000);
    const base = one.onec().standin;
    const ref = refAt(base, WORK_ORDER, 0);
    const edited = base.edit({ set: WORK_ORDER, ref, changes: { ОписаниеПричиныОбращения: 'Стук справа' } });
    const value = String(edited.ДатаОперации);
    base.seed({ marks: [{ set: WORK_ORDER, ref, property: 'ДатаЗаписи', value }] });
    one.clock.advance(60_000);
    await one.run(EXPORT);
    const reasons = one.outcome().deals.flatMap(({ fields }) => Object.values(fields));
    expect(reasons).toContain('Стук справа');
  });

  test('R19 a row that the mapping lacked: once it is there, documents that stood still get its stage, and no more is asked', async () => {
    const scene = newDocuments();
    const row = `    - { pipeline: 8266734, status: ${STAGES.inWork}, state: "В работе" }\n`;
    const one = await open('sqlite', { ...scene.options, mapping: ONEC_MAPPING.replace(row, '') });
    await scene.prepare(one);
    await one.settle({ jobs: [EXPORT] });
    const inWork = () => one.outcome().deals.filter(({ stage }) => stage === `8266734/${STAGES.inWork}`);
    const alerts = () =>
      one.database.db.selectFrom('alerts').select('subject').where('closed_at', 'is', null).execute();
    expect([inWork(), await alerts()]).toEqual([[], [{ subject: 'onec.statuses:в работе' }]]);
    await one.remap(ONEC_MAPPING);
    await one.settle({ jobs: [EXPORT] });
    expect([inWork().length > 0, await alerts()]).toEqual([true, []]);
    clearJournals(one);
    await one.run(EXPORT);
    expect(one.amo.journal.length + one.onec().journal.length).toBeLessThanOrEqual(5);
  });

  test('a client and goods that people have deleted in amoCRM are made anew, once, for the next document', async () => {
    const one = await exported();
    const crm = one.amo.standin;
    for (const { id } of crm.snapshot().elements) crm.remove({ element: id });
    for (const { id } of crm.snapshot().contacts) crm.remove({ contact: id });
    const base = one.onec().standin;
    const model = base.entity(WORK_ORDER, refAt(base, WORK_ORDER, 0));
    const own = { Ref_Key: '00000000-0000-4000-8000-00000000bbbb', Number: '00000000999', DataVersion: 'AAAAAAAAAAk=' };
    base.seed({ documents: [{ ...model, ...own, set: WORK_ORDER, Date: '2026-05-10T09:00:30' }] });
    await one.settle({ tickMs: 7 * 60_000, jobs: [EXPORT] });
    const deal = one.outcome().deals.find(({ name }) => name.includes('00000000999'));
    expect(deal?.contacts).toEqual(['Примеров Пётр: +79000000001']);
    expect(deal?.goods).toEqual(['0000000012 × 0.75', 'DB83034 × 2', 'MJ1009 × 1', 'MJ1009 × 4']);
    expect([one.outcome().contacts.length, one.outcome().goods.length]).toEqual([1, 4]);
  });
});
