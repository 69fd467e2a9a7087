import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Client } from 'pg';
import { expect } from 'vitest';
import { type AmocrmOptions, type AmocrmStandin, amocrmStandin } from '../../src/sandbox/amocrm.ts';
import { KASPI_SANDBOX_TOKEN, type KaspiOptions, type KaspiStandin, kaspiStandin } from '../../src/sandbox/kaspi.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import { type Outcome, type Started, startSdelka } from './cli.ts';
import { type Dialect, emptyPlace, migratedPlace } from './databases.ts';

/** The mapping of a small shop. */
export const MAPPING = `kaspi:
  deal:
    fields: { 900101: "{code}", 900102: "{deliveryAddress.formattedAddress}", 900104: "{totalPrice}" }
    external_id_field: 900101
  stages:
    - { when: { state: KASPI_DELIVERY, assembled: true }, status: 80953560 }
    - { when: { status: ACCEPTED_BY_MERCHANT }, status: 80953555 }
`;

export interface WorldOptions {
  dialect?: Dialect;
  kaspi?: Partial<KaspiOptions>;
  amo?: Partial<AmocrmOptions>;
  /** Added to the env file; undefined takes a line out of it. */
  settings?: Record<string, string | undefined>;
  mapping?: string;
  /** The OAuth pair instead of the long-lived token. */
  oauth?: boolean;
  /** False: no database yet. */
  migrate?: boolean;
}

/** What a person sees when they open the deal of an order. */
export interface DealCard {
  deal: ReturnType<AmocrmStandin['deals']>[number];
  contact: ReturnType<AmocrmStandin['contacts']>[number] | undefined;
  /** SKU → quantity. */
  goods: Record<string, number>;
  notes: ReturnType<AmocrmStandin['notes']>;
}

/** The built program, a database and the stand-ins, as one operator's host would have them. */
export interface SandboxWorld {
  kaspi: RunningStandin<KaspiStandin>;
  amo: RunningStandin<AmocrmStandin>;
  /** The folder of `.env`, `mapping.yaml` and the SQLite database. */
  dir: string;
  url: string;
  /** What must never be printed, as far as it is known by now. */
  secrets(): string[];
  /** Runs the built program with this world's env file and checks what holds for every run: see `expectSound`. */
  sdelka(args: readonly string[], env?: Record<string, string>): Promise<Outcome>;
  /** The same, for tests that send signals; its end is checked too. */
  start(args: readonly string[], env?: Record<string, string>): Promise<Started>;
  poll(env?: Record<string, string>): Promise<Outcome>;
  rewrite(settings: Record<string, string | undefined>): Promise<void>;
  rows(query: string): Promise<Record<string, unknown>[]>;
  /** Every deal that holds the order's code; a test expects one. */
  dealsOf(code: string): DealCard[];
  clearJournals(): void;
  close(): Promise<void>;
}

/** A world with both stand-ins; limits and lags are off, for they have tests of their own. */
export async function sandboxWorld(options: WorldOptions = {}): Promise<SandboxWorld> {
  // What `sdelka migrate` does has tests of its own; here it would be a process for each world.
  const place = await ((options.migrate ?? true) ? migratedPlace : emptyPlace)(options.dialect ?? 'sqlite');
  const kaspi = await serve(kaspiStandin(options.kaspi));
  const issued: string[] = [];
  const account = amocrmStandin({ rps: 0, searchLagMs: 0, ...options.amo });
  const amo = await serve(listening(account, issued));
  const envFile = join(place.dir, '.env');
  const settings: Record<string, string | undefined> = {
    DATABASE_URL: place.url,
    KASPI_API_URL: `${kaspi.url}/shop/api/v2`,
    KASPI_API_TOKEN: options.kaspi?.token ?? KASPI_SANDBOX_TOKEN,
    AMO_BASE_URL: amo.url,
    ...accessOf(account, options.oauth ?? false),
    AMO_PIPELINE_ID: '10226282',
    AMO_STATUS_ID: '80953554',
    AMO_RESPONSIBLE_USER_ID: '12380450',
    AMO_CATALOG_ID: '5501',
    AMO_RPS: '1000',
    DOUBT_QUIET_SECONDS: '0',
    ...options.settings,
  };
  const rewrite = async (changed: Record<string, string | undefined>) => {
    Object.assign(settings, changed);
    const lines = Object.entries(settings).flatMap(([name, value]) =>
      value === undefined ? [] : `${name}=${value}\n`,
    );
    await writeFile(envFile, lines.join(''));
  };
  await rewrite({});
  await writeFile(join(place.dir, 'mapping.yaml'), options.mapping ?? MAPPING);

  const secrets = () => [...tokensIn(settings), ...issued, ...peopleIn(kaspi.standin, account)];
  const start = async (args: readonly string[], env: Record<string, string> = {}): Promise<Started> => {
    const started = await startSdelka(args, { cwd: place.dir, env: { TMPDIR: place.dir, ...env } });
    const done = started.done.then((outcome) => {
      expectSound(outcome, secrets());
      return outcome;
    });
    return { child: started.child, done };
  };
  const sdelka = async (args: readonly string[], env?: Record<string, string>) => (await start(args, env)).done;

  return {
    kaspi,
    amo,
    dir: place.dir,
    url: place.url,
    secrets,
    sdelka,
    start,
    poll: (env) => sdelka(['kaspi:poll'], env),
    rewrite,
    rows: (query) => rowsOf(place.url, query),
    dealsOf: (code) => cardsOf(account, code),
    clearJournals: () => {
      kaspi.journal.length = 0;
      amo.journal.length = 0;
    },
    close: async () => {
      await Promise.all([kaspi.close(), amo.close()]);
      await place.dispose();
    },
  };
}

function accessOf(account: AmocrmStandin, pair: boolean): Record<string, string> {
  const given = account.credentials();
  if (!pair) return { AMO_LONG_LIVED_TOKEN: given.long_lived_token };
  return {
    AMO_CLIENT_ID: given.client_id,
    AMO_CLIENT_SECRET: given.client_secret,
    AMO_REDIRECT_URI: given.redirect_uri,
    AMO_ACCESS_TOKEN: given.access_token,
    AMO_REFRESH_TOKEN: given.refresh_token,
  };
}

/** The stand-in, with every token noted that it hands out. */
function listening(account: AmocrmStandin, issued: string[]): AmocrmStandin {
  return {
    ...account,
    handle: async (request) => {
      const answer = await account.handle(request);
      const body = answer.body;
      if (request.path === '/oauth2/access_token' && typeof body === 'object' && body !== null) {
        for (const [name, value] of Object.entries(body)) if (/_token$/.test(name)) issued.push(String(value));
      }
      return answer;
    },
  };
}

function tokensIn(settings: Record<string, string | undefined>): string[] {
  const named = Object.entries(settings).filter(([name]) => /_(TOKEN|SECRET|KEY|PASSWORD)$/.test(name));
  const url = settings.DATABASE_URL ?? '';
  const password = url.startsWith('postgres') ? new URL(url).password : '';
  return [...named.map(([, value]) => value ?? ''), password].filter((text) => text.length >= 6);
}

/** Phones without their country code, however they are written, and e-mails. */
function peopleIn(kaspi: KaspiStandin, account: AmocrmStandin): string[] {
  const buyers = kaspi.orders().map((order) => order.attributes.customer?.cellPhone ?? '');
  const contacts = account.contacts().flatMap((contact) => contact.phones);
  const phones = [...buyers, ...contacts].map((phone) => phone.replace(/\D/g, '').slice(-10));
  const emails = account.contacts().flatMap((contact) => contact.emails);
  return [...new Set([...phones.filter((digits) => digits.length === 10), ...emails])];
}

/**
 * What holds for every run of the program below debug: each line on stderr is a log record, stdout is empty or one JSON
 * line, no secret, phone or e-mail stands in either, and no stack trace.
 */
export function expectSound(outcome: Outcome, secrets: readonly string[]): void {
  for (const line of outcome.lines) {
    expect(line).toMatchObject({ level: expect.any(Number), msg: expect.any(String) });
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }
  expect(outcome.stdout).toMatch(/^([^\n]+\n)?$/);
  if (outcome.stdout !== '') JSON.parse(outcome.stdout);
  const printed = outcome.stdout + outcome.stderr;
  expect(printed).not.toMatch(/(^|\\n|\n)\s+at |"stack"/);
  expect(leaked(printed, secrets)).toEqual([]);
}

/** The secrets that stand in a text, whole or in good part, phones in whatever spelling. */
export function leaked(text: string, secrets: readonly string[]): string[] {
  const joined = text.replace(/[\s()+-]/g, '');
  return secrets.filter((secret) => {
    const part = secret.length > 64 ? secret.slice(-40) : secret;
    return text.includes(part) || joined.includes(part);
  });
}

async function rowsOf(url: string, query: string): Promise<Record<string, unknown>[]> {
  if (!url.startsWith('postgres')) {
    const handle = new Sqlite(url.slice('sqlite:'.length));
    try {
      const statement = handle.prepare<[], Record<string, unknown>>(query);
      if (statement.reader) return statement.all();
      statement.run();
      return [];
    } finally {
      handle.close();
    }
  }
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(query)).rows;
  } finally {
    await client.end();
  }
}

function cardsOf(account: AmocrmStandin, code: string): DealCard[] {
  const contacts = account.contacts();
  const elements = account.elements();
  return account
    .deals()
    .filter((deal) => deal.name.includes(code) || deal.custom_fields['900101'] === code)
    .map((deal) => ({
      deal,
      contact: contacts.find(({ id }) => id === deal.contacts[0]),
      goods: Object.fromEntries(
        account
          .links()
          .filter((link) => link.lead_id === deal.id)
          .map((link) => [elements.find(({ id }) => id === link.element_id)?.sku ?? 'unknown', link.quantity]),
      ),
      notes: account.notes().filter((note) => note.entity_type === 'leads' && note.entity_id === deal.id),
    }));
}

/** Runs the work in a world of its own and clears it away, so that tests may run beside each other. */
export async function inWorld(options: WorldOptions, work: (world: SandboxWorld) => Promise<void>): Promise<void> {
  const world = await sandboxWorld(options);
  try {
    await work(world);
  } finally {
    await world.close();
  }
}

/** Waits for something that another process brings about. */
export async function until(what: string, happened: () => boolean): Promise<void> {
  for (let left = 3000; left > 0; left--) {
    if (happened()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`never happened: ${what}`);
}
