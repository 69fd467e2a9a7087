// A process of its own for tests of what processes do to each other. Run by child.ts; prints one JSON line for each step.
import { openDatabase } from '../../src/state/database.ts';
import { migrate } from '../../src/state/migrate.ts';
import { takeSlot } from '../../src/state/rate.ts';

const [task = '', url = '', baseDir = '', detail = ''] = process.argv.slice(2);

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function holdLock(): Promise<void> {
  const database = await openDatabase({ url, baseDir });
  const lock = await database.lock(detail);
  print({ held: lock !== undefined });
  // Until it is killed.
  setInterval(() => lock?.name, 1000);
}

async function takeSlots(): Promise<void> {
  const database = await openDatabase({ url, baseDir });
  const now = new Date();
  const [count = 0, interval = 0, start = 0] = detail.split(',').map(Number);
  now.setTime(start);
  const waits: unknown[] = [];
  for (let i = 0; i < count; i++) waits.push(await takeSlot(database, 'amocrm', interval, now));
  await database.close();
  print(waits);
}

const tasks: Record<string, () => Promise<void>> = {
  migrate: async () =>
    print(await migrate({ url, baseDir, create: true, ...(detail === '' ? {} : { folder: detail }) })),
  lock: holdLock,
  slots: takeSlots,
};

await tasks[task]?.();
