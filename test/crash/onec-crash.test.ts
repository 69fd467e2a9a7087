import { describe, expect, test } from 'vitest';
import { cutAgainAndAgain, cutAtSteps, expectSound, open, type Scene } from '../support/cut-loop.ts';
import type { Dialect } from '../support/databases.ts';
import {
  changedDocuments,
  clearJournals,
  EXPORT,
  IMPORT,
  movedDeals,
  newDeals,
  newDocuments,
  thenOther,
  workInAmo,
  writesOf,
} from '../support/onec-stream.ts';
import { fewOf, STRIDE } from '../support/stride.ts';
import type { RunOptions, World } from '../support/world.ts';

const CRM = /\/api\/v4\//;
const BASE = /\/odata\//;

const freshExport = () => thenOther(newDocuments(), IMPORT, BASE);
const freshImport = () => thenOther(newDeals(), EXPORT, CRM);

describe('R38: what one job has written the other does not send back', () => {
  async function goesBack(one: World, job: RunOptions, target: RegExp): Promise<string[]> {
    clearJournals(one);
    one.clock.advance(60_000);
    expect((await one.run(job)).exit).toBe(0);
    return writesOf(one).filter((line) => target.test(line));
  }

  test.each([
    ['new documents', newDocuments],
    ['documents that have changed', changedDocuments],
  ])('%s: an import after the export writes nothing to 1C', async (_, make) => {
    const one = await open('sqlite', make().options);
    await make().prepare(one);
    await one.settle({ jobs: [EXPORT] });
    expect(await goesBack(one, IMPORT, BASE)).toEqual([]);
  });

  test('an export after the import, and after each new stage, writes nothing to amoCRM', async () => {
    const one = await open('sqlite', newDeals().options);
    await newDeals().prepare(one);
    await one.settle({ jobs: [IMPORT] });
    expect(await goesBack(one, EXPORT, CRM)).toEqual([]);
    workInAmo(one);
    await one.settle({ jobs: [IMPORT] });
    expect(await goesBack(one, EXPORT, CRM)).toEqual([]);
    expect(await goesBack(one, IMPORT, BASE)).toEqual([]);
  });
});

describe('a pass cut at any step ends as a calm one, and the other job has nothing to add', () => {
  const scenes: [name: string, scene: () => Scene, coarseness: number, least: number][] = [
    ['new documents', freshExport, 16, 300],
    ['documents that have changed', () => thenOther(changedDocuments(), IMPORT, BASE), 8, 100],
    ['new deals', freshImport, 16, 400],
    ['deals at a new stage', () => thenOther(movedDeals(), EXPORT, CRM), 8, 60],
  ];
  test.each(scenes)('%s', async (_, scene, coarseness, least) => {
    expectSound(await cutAtSteps('sqlite', scene(), coarseness * (STRIDE - 1) + 1), least);
  });

  const cleaning: [Dialect, string, () => Scene, most: number][] = [
    ['sqlite', 'new documents', freshExport, 40],
    ['sqlite', 'new deals', freshImport, 40],
    ['postgres', 'new deals', freshImport, 20],
  ];
  test.each(fewOf(cleaning, 2))(
    '%s, %s: passes that clean up after a cut are cut as well',
    async (dialect, _, scene, most) => {
      expect(await cutAgainAndAgain(dialect, scene(), Math.ceil(most / STRIDE ** 2))).toEqual([]);
    },
  );
});
