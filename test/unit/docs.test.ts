import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ExitCode } from '../../src/base/errors.ts';
import { cronSchedule } from '../../src/commands/crontab.ts';
import { commands } from '../../src/commands/index.ts';
import { loadMapping } from '../../src/config/mapping.ts';
import { coreSettings } from '../../src/config/settings.ts';
import { duration } from '../../src/config/variables.ts';
import { DIFFERENCE_KINDS } from '../../src/domain/audit.ts';
import { HEALTH_KINDS } from '../../src/insight/health.ts';
import { jobs } from '../../src/jobs/index.ts';
import { dialects, freshDatabase } from '../support/databases.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const READMES = ['README.md', 'README.ru.md'] as const;
const GUIDES = ['docs/kaspi.md', 'docs/kaspi.ru.md'] as const;
const ONEC = ['docs/onec.md', 'docs/onec.ru.md'] as const;
const CALLS = ['docs/calls.md', 'docs/calls.ru.md'] as const;
const OPERATING = ['docs/operating.md', 'docs/operating.ru.md'] as const;
const PAGES = [
  ...READMES,
  ...GUIDES,
  ...ONEC,
  ...CALLS,
  ...OPERATING,
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'DECISIONS.md',
];

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The contents of the fenced blocks of a language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , content]) => content ?? '');
}

/** Headings outside fenced blocks, as their levels: `#`, `##`, … */
function headingLevels(text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/^(#+) /gm)].map(([, level]) => level ?? '');
}

/** The first cells of all tables' rows. */
function firstCells(text: string): string[] {
  return [...text.matchAll(/^\| (.*?) \|/gm)].map(([, cell]) => cell ?? '');
}

/** Names in backticks in the first cells: what a table has a row for. */
function rowNames(text: string): Set<string> {
  return new Set(firstCells(text).flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? '')));
}

const variables = [...read('.env.example').matchAll(/^#?([A-Z][A-Z_]+)=/gm)].map(([, name]) => name ?? '');

/** Every code that an error of the program may carry. */
function errorCodes(): Set<string> {
  const given =
    /(?:\bcode:|(?:config|credentials|passing)Error\()\s*(?:[^,'"]*\?\s*)?'([A-Z_]+)'(?:\s*:\s*'([A-Z_]+)')?/g;
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('sandbox'),
  );
  const texts = files.map((file) => read(join('src', file)));
  return new Set(
    texts
      .flatMap((text) => [...text.matchAll(given)].flatMap(([, one, other]) => [one, other]))
      .filter((code) => code !== undefined),
  );
}

describe.each(READMES)('%s', (path) => {
  const text = read(path);
  const rows = rowNames(text);

  test('has a row for every job and command', () => {
    const names = [...jobs, ...commands].map(({ name }) => name);
    expect(names.filter((name) => !rows.has(name))).toEqual([]);
  });

  test('does not call a command missing that there is', () => {
    const [, list = ''] = /(?:do not exist yet|их ещё нет): ([^.]*)\./.exec(text) ?? [];
    const missing = [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? '');
    expect(missing.length).toBeGreaterThan(0);
    const present = new Set([...jobs, ...commands].map(({ name }) => name));
    expect(missing.filter((name) => present.has(name))).toEqual([]);
  });

  test('has a row for every variable of .env.example', () => {
    expect(variables.length).toBeGreaterThan(30);
    const inTables = text.match(/^\|.*$/gm)?.join('\n') ?? '';
    expect(variables.filter((name) => !inTables.includes(`\`${name}\``))).toEqual([]);
  });

  test('has a row for every exit code, and no other', () => {
    const codes = firstCells(text).filter((cell) => /^\d+$/.test(cell));
    expect(codes).toEqual(Object.values(ExitCode).map(String));
  });

  test('has a row for every error code, and no other', () => {
    const codes = errorCodes();
    expect(codes.size).toBeGreaterThan(40);
    expect([...codes].filter((code) => !rows.has(code))).toEqual([]);
    const upper = [...rows].filter((name) => /^[A-Z_]+$/.test(name));
    expect(upper.filter((name) => !codes.has(name) && !variables.includes(name))).toEqual([]);
  });
});

test('both languages tell the same: the same headings, the same rows, the same blocks', () => {
  for (const [one, other] of [READMES, GUIDES, ONEC, CALLS, OPERATING]) {
    const shape = (path: string) => {
      const text = read(path);
      return {
        headings: headingLevels(text),
        rows: firstCells(text).length,
        sql: blocks(text, 'sql'),
        shown: blocks(text, ''),
      };
    };
    expect(shape(other)).toEqual(shape(one));
    expect(shape(one).headings.length).toBeGreaterThan(5);
  }
});

test('crontab.example has a line for every job, at its default interval', () => {
  const lines = read('crontab.example').split('\n');
  const defaults: Readonly<Record<string, { fallback?: string }>> = coreSettings.variables;
  for (const { name, every } of jobs) {
    const line = lines.find((text) => !text.startsWith('#') && text.includes(` ${name} `));
    const { schedule } = cronSchedule(duration().parse(defaults[every]?.fallback ?? '') ?? 0);
    expect(line, name).toBe(`${schedule} sdelka --env-file /srv/shop/.env ${name} >> /srv/shop/logs/sdelka.log 2>&1`);
  }
});

test('the changelog names every migration, job and command', () => {
  const text = read('CHANGELOG.md');
  const migrations = readdirSync(join(ROOT, 'migrations/sqlite')).map((file) => file.replace(/\.sql$/, ''));
  const names = [...migrations, ...[...jobs, ...commands].map(({ name }) => name)];
  expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

test('every link between the pages leads somewhere', () => {
  for (const path of PAGES) {
    const links = [...read(path).matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link ?? '');
    const local = links.filter((link) => !/^https?:/.test(link));
    expect(local.filter((link) => !existsSync(join(ROOT, dirname(path), link)))).toEqual([]);
  }
});

/** The kinds of alerts that the runner and the effects open, beside those of the watchdog's own judgement and of the audit. */
function reportedKinds(): string[] {
  const sources = [
    ['src/runner/deliver.ts', /openAlert\(tx, '(\w+)'/g],
    ['src/systems/amocrm/effects/reports.ts', /\bkind: '(\w+)'/g],
    ...['create', 'dropped', 'id', 'state'].map(
      (file) => [`src/systems/onec/effects/${file}.ts`, /\bkind: '(\w+)',\s+subject\b/g] as const,
    ),
    ...['call', 'context', 'customer', 'order', 'task'].map(
      (file) => [`src/systems/retailcrm/effects/${file}.ts`, /'(retail_\w+)'/g] as const,
    ),
    ['src/jobs/onec-export-options.ts', /\.report\('(\w+)'/g],
    ['src/jobs/onec-import-reading.ts', /\.report\('(\w+)'/g],
  ] as const;
  return sources.flatMap(([file, opened]) => [...read(file).matchAll(opened)].map(([, kind]) => kind ?? ''));
}

test.each(OPERATING)('%s says of every alert what to do', (path) => {
  const rows = rowNames(read(path));
  const reported = reportedKinds();
  const ofAmo = ['conflict', 'deal_gone', 'in_doubt', 'mapping', 'max_changes'];
  const ofOnec = ['document_gone', 'goods_off', 'onec_ambiguous', 'onec_dropped', 'onec_lines'];
  const ofRetail = ['retail_code', 'retail_mapping', 'retail_user'];
  expect(new Set(reported)).toEqual(new Set([...ofAmo, ...ofOnec, ...ofRetail]));
  expect([...HEALTH_KINDS, ...reported, 'audit', ...DIFFERENCE_KINDS].filter((kind) => !rows.has(kind))).toEqual([]);
});

test.each(OPERATING)('%s names every table', (path) => {
  const rows = rowNames(read(path));
  const made = readdirSync(join(ROOT, 'migrations/sqlite')).flatMap((file) =>
    [...read(`migrations/sqlite/${file}`).matchAll(/CREATE (?:TABLE|VIEW) (\w+)/g)].map(([, name]) => name ?? ''),
  );
  expect(made.length).toBeGreaterThan(15);
  expect(made.filter((name) => !rows.has(name))).toEqual([]);
});

test.each(GUIDES)('the mapping in %s is valid', async (path) => {
  const [mapping = ''] = blocks(read(path), 'yaml');
  const baseDir = await mkdtemp(join(tmpdir(), 'sdelka-docs-'));
  try {
    await writeFile(join(baseDir, 'mapping.yaml'), mapping);
    const { kaspi } = await loadMapping({ baseDir });
    expect(kaspi.stages.length).toBeGreaterThan(3);
    expect(kaspi.deal.externalIdField).toBe(900101);
  } finally {
    await rm(baseDir, { recursive: true, force: true });
  }
});

test.each(ONEC)('every mapping in %s is valid', async (path) => {
  const mappings = blocks(read(path), 'yaml');
  const baseDir = await mkdtemp(join(tmpdir(), 'sdelka-docs-'));
  try {
    for (const mapping of mappings) {
      await writeFile(join(baseDir, 'mapping.yaml'), mapping);
      expect((await loadMapping({ baseDir })).onec).toBeDefined();
    }
    expect(mappings.length).toBeGreaterThan(1);
  } finally {
    await rm(baseDir, { recursive: true, force: true });
  }
});

test.each(CALLS)('every mapping in %s is valid', async (path) => {
  const mappings = blocks(read(path), 'yaml');
  const baseDir = await mkdtemp(join(tmpdir(), 'sdelka-docs-'));
  try {
    for (const mapping of mappings) {
      await writeFile(join(baseDir, 'mapping.yaml'), mapping);
      expect((await loadMapping({ baseDir })).calls).toBeDefined();
    }
    expect(mappings.length).toBeGreaterThan(1);
  } finally {
    await rm(baseDir, { recursive: true, force: true });
  }
});

describe.each(dialects)('%s', (dialect) => {
  test.each([...READMES, ...GUIDES, ...ONEC, ...CALLS, ...OPERATING])('takes every statement in %s', async (path) => {
    const text = read(path);
    const shell = blocks(text, 'sh').flatMap((block) => /sqlite3 [\w.]+ "\n([^"]+)"/.exec(block)?.[1] ?? []);
    const statements = [...blocks(text, 'sql'), ...shell]
      .flatMap((block) => block.replaceAll('$NOW', '2026-11-22T10:00:00.000Z').split(';'))
      .filter((statement) => statement.trim() !== '');
    expect(statements.length).toBeGreaterThan(2);
    const { database, dispose } = await freshDatabase(dialect);
    try {
      for (const statement of statements) await database.script(`${statement};`);
    } finally {
      await dispose();
    }
  });
});
