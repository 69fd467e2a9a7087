import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { AppError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import { wireJob } from '../../src/cli/wire.ts';
import type { AnyJob } from '../../src/jobs/define.ts';
import { kaspiPoll } from '../../src/jobs/kaspi-poll.ts';
import type { PassResult } from '../../src/runner/job.ts';
import { runJob } from '../../src/runner/run-job.ts';
import { type AmocrmOptions, type AmocrmStandin, amocrmStandin } from '../../src/sandbox/amocrm.ts';
import { KASPI_SANDBOX_TOKEN, type KaspiSeed, type KaspiStandin, kaspiStandin } from '../../src/sandbox/kaspi.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import {
  ONEC_SANDBOX_PASSWORD,
  ONEC_SANDBOX_PATH,
  ONEC_SANDBOX_USER,
  type OnecOptions,
  type OnecStandin,
  onecStandin,
} from '../../src/sandbox/onec.ts';
import type { Database } from '../../src/state/database.ts';
import { setMeta } from '../../src/state/meta.ts';
import { countOpen } from '../../src/state/outbox.ts';
import { type Dialect, freshDatabase } from './databases.ts';
import { type MortalOptions, mortal, type Step } from './mortal.ts';

const START = '2026-05-10T06:00:00.000Z';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The ids of the amoCRM stand-in's account that the mapping and the settings name. */
export const CODE_FIELD = 900101;
const ADDRESS_FIELD = 900102;
const PIPELINE = 10226282;
const CATALOG = 5501;

/** The mapping of the tests; each part may be replaced. */
export function mappingText({
  fields = `${CODE_FIELD}: "{code}"\n      ${ADDRESS_FIELD}: "{deliveryAddress.formattedAddress}"`,
  externalId = `external_id_field: ${CODE_FIELD}`,
  pickupStatus = 80953555,
}: {
  fields?: string;
  externalId?: string;
  pickupStatus?: number;
} = {}): string {
  return `kaspi:
  deal:
    name: "Kaspi #{code}"
    tags: ["Kaspi", "{state}"]
    fields:
      ${fields}
    ${externalId}
  stages:
    - { when: { state: KASPI_DELIVERY, assembled: false }, status: 80953556 }
    - { when: { state: PICKUP }, status: ${pickupStatus} }
`;
}

type OrderSeed = NonNullable<KaspiSeed['orders']>[number];

function buyer(firstName: string, lastName: string | null, cellPhone?: string): NonNullable<OrderSeed['customer']> {
  return { name: firstName, firstName, lastName, ...(cellPhone === undefined ? {} : { cellPhone }) };
}

const kettle = { sku: 'KETTLE', name: 'Чайник', basePrice: 7990 };
const lamp = { sku: 'LAMP', name: 'Лампа', basePrice: 12_500 };
const cup = { sku: 'CUP', name: 'Кружка', basePrice: 1500 };
const cable = { sku: 'CABLE', name: 'Кабель', basePrice: 900 };

const zhanar = buyer('Жанар', 'Оспанова', '7479000008');

/**
 * A small shop with all that matters: a new buyer of two orders, one whom the CRM knows under another spelling of the phone, an
 * order without a phone, weighed goods, one article on two lines, goods that two orders share, known ones, an order that is none of ours.
 */
export function firstOrders(now: number): OrderSeed[] {
  const seeds: OrderSeed[] = [
    {
      code: '1001',
      state: 'KASPI_DELIVERY',
      customer: zhanar,
      entries: [{ ...kettle, quantity: 2 }, lamp, cup, cable],
    },
    { code: '1002', state: 'PICKUP', customer: zhanar, entries: [lamp] },
    { code: '1003', state: 'NEW', customer: buyer('Серик', 'Байжанов', '7052220002'), entries: [cup] },
    { code: '1004', state: 'NEW', customer: buyer('Сауле', 'Ахметова'), entries: [kettle] },
  ];
  return seeds.map((seed, index) => ({ ...seed, created_at: now - 5 * HOUR_MS + index * 60_000 }));
}

export function laterOrders(now: number): OrderSeed[] {
  const seeds: OrderSeed[] = [
    {
      code: '1005',
      state: 'DELIVERY',
      customer: buyer('Ольга', 'Петрова', '7719000007'),
      entries: [
        { sku: 'MEAT', name: 'Говядина, кг', quantity: 3, basePrice: 1560, weight: 3800, unitType: 'MEASURABLE' },
      ],
    },
    {
      code: '1006',
      state: 'KASPI_DELIVERY',
      customer: buyer('Ерлан', null, '7059000003'),
      deliveryAddress: null,
      entries: [
        { ...cup, quantity: 2 },
        { ...cup, basePrice: 1400 },
      ],
    },
    { code: '1007', state: 'NEW', customer: zhanar, entries: [{ sku: 'FAN', name: 'Вентилятор', basePrice: 9900 }] },
    { code: '1008', state: 'PICKUP', customer: buyer('Мадина', null), entries: [lamp, cable] },
    { code: '1009', state: 'ARCHIVE', status: 'COMPLETED', customer: buyer('Тимур', 'Ли', '7089000006') },
  ];
  return seeds.map((seed, index) => ({ ...seed, created_at: now - 10 * 60_000 + index * 60_000 }));
}

/** The one time of both remote systems and of every process; a `sleep` moves it and is over at once. */
export interface WorldClock extends Clock {
  advance(ms: number): void;
}

function worldClock(): WorldClock {
  let ms = Date.parse(START);
  const advance = (by: number) => {
    ms += by;
  };
  return { now: () => new Date(ms), advance, sleep: async (by) => advance(by) };
}

/** For processes of their own, whose time no test moves. */
function liveClock(): WorldClock {
  const advance = () => {
    throw new Error('the real clock cannot be moved');
  };
  return { ...systemClock, advance };
}

export interface WorldOptions {
  /** The machine's own clock instead of the test's; the orders are dated from this moment. */
  live?: Date;
  amo?: Partial<AmocrmOptions>;
  /** A 1C base stands beside them, with these switches. */
  onec?: Partial<OnecOptions>;
  /** All orders stand there from the start; else the first four alone, until `arrive`. */
  orders?: 'all' | 'first';
  env?: Record<string, string>;
  mapping?: string;
}

export interface RunOptions extends MortalOptions {
  job?: AnyJob;
  env?: Record<string, string>;
  signal?: AbortSignal;
}

/** How a pass ended, as cron would see it. */
export interface PassEnd {
  exit: number | 'killed';
  result?: PassResult;
  error?: AppError;
  steps: readonly Step[];
}

export interface World {
  clock: WorldClock;
  kaspi: RunningStandin<KaspiStandin>;
  amo: RunningStandin<AmocrmStandin>;
  /** Throws where the world was made without. */
  onec(): RunningStandin<OnecStandin>;
  /** The test's own look into the state; no process of ours uses it. */
  database: Database;
  /** The folder of the settings file. */
  dir: string;
  environment: Record<string, string>;
  /** One pass in this process. Whatever it throws that is no `AppError` fails the test. */
  run(options?: RunOptions): Promise<PassEnd>;
  /** Passes, each `tickMs` after the one before, until one finds nothing left to do. Gives how each of them ended. */
  settle(options?: { tickMs?: number; most?: number; jobs?: readonly RunOptions[] }): Promise<PassEnd[]>;
  /** The five orders that came in later. */
  arrive(): void;
  /** What a person would find in the CRM; doubles show. */
  outcome(): Outcome;
  /** What waits in the outbox, by state. */
  open(job?: string): Promise<Record<string, number>>;
  remap(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Both remote systems and an empty, migrated database, on a clock that nothing but the test and `sleep` moves. */
export async function world(dialect: Dialect, options: WorldOptions = {}): Promise<World> {
  const clock = options.live ? liveClock() : worldClock();
  const kaspi = await serve(kaspiStandin({ now: () => clock.now().getTime() }));
  const amo = await serve(amocrmStandin({ now: clock.now, rps: 0, searchLagMs: 0, ...options.amo }));
  const onec = options.onec && (await serve(onecStandin({ now: () => clock.now().getTime(), ...options.onec })));
  const fresh = await freshDatabase(dialect);
  const { database, dir } = fresh;
  // Migrating writes the machine's own time; the passes live on the test's.
  const born = new Date(clock.now().getTime() - DAY_MS);
  await database.transaction((tx) => setMeta(tx, 'database_born', born.toISOString(), born));
  await writeFile(join(dir, 'mapping.yaml'), options.mapping ?? mappingText());
  fillAccount(amo.standin);
  const now = (options.live ?? clock.now()).getTime();
  kaspi.standin.seed({ orders: firstOrders(now) });
  const arrive = () => kaspi.standin.seed({ orders: laterOrders((options.live ?? clock.now()).getTime()) });
  if (options.orders !== 'first') arrive();
  const environment = {
    ...environmentOf(fresh.url, kaspi.url, amo),
    ...(onec && onecEnvironment(onec.url)),
    ...options.env,
  };

  async function run({ job = kaspiPoll, env = {}, signal, ...life }: RunOptions = {}): Promise<PassEnd> {
    const process = mortal(life);
    const ctx = {
      environment: { values: { ...environment, ...env }, baseDir: dir },
      globals: { dryRun: false, json: false, lockWaitSeconds: 0, color: false },
      log: silentLogger,
      clock,
      signal: signal ?? new AbortController().signal,
    };
    try {
      const wired = await wireJob(ctx, job, { lookback: undefined, confirm: false }, process.seams);
      try {
        const result = await runJob(wired.options);
        return { exit: result.exit, result, steps: process.steps };
      } finally {
        await wired.close();
      }
    } catch (error) {
      if (process.dead()) return { exit: 'killed', steps: process.steps };
      if (!(error instanceof AppError)) throw error;
      return { exit: error.exit, error, steps: process.steps };
    } finally {
      await process.bury();
    }
  }

  const openEffects = (job = kaspiPoll.name) => countOpen(database.db, job);

  async function idle(end: PassEnd, job: AnyJob): Promise<boolean> {
    const nothing = end.result?.outcome === 'ok' && end.result.created === 0;
    return nothing && Object.keys(await openEffects(job.name)).length === 0;
  }

  const settle: World['settle'] = async ({ tickMs = 60_000, most = 8, jobs = [{}] } = {}) => {
    const ends: PassEnd[] = [];
    for (let pass = 1; pass <= most; pass++) {
      let left = false;
      for (const options of jobs) {
        clock.advance(tickMs);
        const end = await run(options);
        ends.push(end);
        left = !(await idle(end, options.job ?? kaspiPoll)) || left;
      }
      if (!left) return ends;
    }
    const states = JSON.stringify(await openEffects());
    throw new Error(`work is left after ${most} passes: ${states}, last error: ${ends.at(-1)?.error?.message}`);
  };

  return {
    clock,
    kaspi,
    amo,
    onec: () => {
      if (!onec) throw new Error('this world has no 1C');
      return onec;
    },
    database,
    dir,
    environment,
    run,
    settle,
    arrive,
    outcome: () => outcomeOf(amo.standin),
    open: openEffects,
    remap: (text) => writeFile(join(dir, 'mapping.yaml'), text),
    close: async () => {
      await Promise.all([kaspi.close(), amo.close(), onec?.close()]);
      await fresh.dispose();
    },
  };
}

function environmentOf(databaseUrl: string, kaspiUrl: string, amo: RunningStandin<AmocrmStandin>) {
  return {
    DATABASE_URL: databaseUrl,
    KASPI_API_URL: `${kaspiUrl}/shop/api/v2`,
    KASPI_API_TOKEN: KASPI_SANDBOX_TOKEN,
    AMO_BASE_URL: amo.url,
    AMO_LONG_LIVED_TOKEN: amo.standin.credentials().long_lived_token,
    AMO_PIPELINE_ID: String(PIPELINE),
    AMO_STATUS_ID: '80953554',
    AMO_RESPONSIBLE_USER_ID: '12380450',
    AMO_CATALOG_ID: String(CATALOG),
    AMO_RPS: '1000',
    DOUBT_QUIET_SECONDS: '0',
    HTTP_TIMEOUT_MS: '5000',
  };
}

function onecEnvironment(url: string) {
  return {
    ONEC_ODATA_URL: `${url}${ONEC_SANDBOX_PATH}`,
    ONEC_USER: ONEC_SANDBOX_USER,
    ONEC_PASSWORD: ONEC_SANDBOX_PASSWORD,
    ONEC_TIMEZONE: 'Europe/Moscow',
  };
}

/** What the firm's CRM held before: strangers, the known buyer, and goods of the catalog. */
function fillAccount(amo: AmocrmStandin): void {
  const { contacts } = amo.add({
    contacts: [
      { name: 'Жанна Иная', phones: ['+7 (701) 000-00-01'] },
      { name: 'Серик (постоянный)', phones: ['8 705 222-00-02'] },
    ],
    elements: [
      { name: 'Чайник', sku: 'KETTLE', price: 7990 },
      { name: 'Утюг', sku: 'IRON', price: 5000 },
    ],
  });
  amo.add({ deals: [{ name: 'Звонок 1001-А', price: 1, contacts: contacts.slice(0, 1) }] });
}

export interface DealOutcome {
  name: string;
  price: number;
  stage: string;
  lossReason: number | null;
  responsible: number;
  tags: string[];
  fields: Record<string, unknown>;
  contacts: string[];
  /** `SKU × quantity`, a line for each link. */
  goods: string[];
  notes: string[];
}

/** An account's content by names; ids and times may differ between two equal accounts. */
export interface Outcome {
  deals: DealOutcome[];
  contacts: string[];
  goods: string[];
  counts: { deals: number; contacts: number; elements: number; links: number; notes: number };
}

function outcomeOf(amo: AmocrmStandin): Outcome {
  const { deals, contacts, elements, links, notes } = amo.snapshot();
  const contactNames = new Map(contacts.map((one) => [one.id, `${one.name}: ${one.phones.join(', ')}`]));
  const skus = new Map(elements.map((one) => [one.id, one.sku ?? one.name]));
  const noteText = (note: (typeof notes)[number]) =>
    `${note.triggers_digital_pipeline ? 'loud' : 'quiet'} ${note.note_type}: ${note.text}`;
  return {
    deals: deals
      .map((deal) => ({
        name: deal.name,
        price: deal.price,
        stage: `${deal.pipeline_id}/${deal.status_id}`,
        lossReason: deal.loss_reason_id,
        responsible: deal.responsible_user_id,
        tags: [...deal.tags].sort(),
        fields: deal.custom_fields,
        contacts: deal.contacts.map((id) => contactNames.get(id) ?? 'gone').sort(),
        goods: links
          .filter((link) => link.lead_id === deal.id)
          .map((link) => `${skus.get(link.element_id)} × ${link.quantity}`)
          .sort(),
        notes: notes
          .filter((note) => note.entity_type === 'leads' && note.entity_id === deal.id)
          .map(noteText)
          .sort(),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    contacts: [...contactNames.values()].sort(),
    goods: elements.map((one) => `${one.sku}: ${one.name}, ${one.price}`).sort(),
    counts: {
      deals: deals.length,
      contacts: contacts.length,
      elements: elements.length,
      links: links.length,
      notes: notes.length,
    },
  };
}
