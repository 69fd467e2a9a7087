import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

/** What each room may import beside itself and packages; `systems` means any of them, for a system's own rule see below. */
const MAY: Record<string, readonly string[] | 'all'> = {
  base: [],
  domain: ['base'],
  config: ['base'],
  http: ['base'],
  sandbox: ['base'],
  state: ['base', 'domain'],
  systems: ['base', 'config', 'domain', 'http'],
  runner: ['base', 'domain', 'state'],
  insight: ['base', 'domain', 'state'],
  intake: ['base', 'config', 'domain', 'state', 'systems'],
  jobs: ['base', 'domain', 'runner', 'systems'],
  commands: 'all',
  cli: 'all',
};

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}

/** Static, type-only, dynamic imports, re-exports and `typeof import(…)`: whatever names a file of ours. */
function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const statement = /(?:^|\n)\s*(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?['"](\.[^'"]+)['"]/g;
  const call = /(typeof\s+)?import\(\s*['"](\.[^'"]+)['"]/g;
  return [...text.matchAll(statement), ...text.matchAll(call)].map((match) => ({
    from: relative(SRC, file),
    to: relative(SRC, resolve(dirname(file), match[2] ?? '')),
    typeOnly: match[1] !== undefined,
  }));
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
const imports = files.flatMap((name) => importsOf(join(SRC, name))).filter(({ to }) => to !== '../package.json');

function room(path: string): string {
  return path.split('/')[0] ?? '';
}

function isAllowed({ from, to, typeOnly }: Import): boolean {
  const [own, other] = [room(from), room(to)];
  if (own === 'systems' && other === 'systems') return from.split('/')[1] === to.split('/')[1];
  if (own === other) return true;
  if (own === 'commands' && other === 'cli') return false;
  if (own === 'jobs' && other === 'config') return typeOnly;
  const allowed = MAY[own] ?? [];
  return allowed === 'all' || allowed.includes(other);
}

test('every room imports what the house allows it, and nothing else', () => {
  const broken = imports.filter((one) => !isAllowed(one));
  expect(broken.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
});

test.each([
  ['systems/kaspi/client.ts', 'systems/amocrm/client.ts'],
  ['systems/amocrm/client.ts', 'state/links.ts'],
  ['sandbox/kaspi.ts', 'systems/kaspi/schema.ts'],
  ['runner/deliver.ts', 'systems/amocrm/client.ts'],
  ['domain/order.ts', 'config/mapping.ts'],
  ['commands/demo.ts', 'cli/wire.ts'],
  ['jobs/kaspi-plan.ts', 'config/mapping.ts'],
])('the rule forbids %s to import %s', (from, to) => {
  expect(isAllowed({ from, to, typeOnly: false })).toBe(false);
});

test('every room has its rule, and every import that was read leads to a file', () => {
  expect([...new Set(files.map(room))].filter((name) => !(name in MAY))).toEqual([]);
  expect(imports.map(({ to }) => to).filter((to) => !files.includes(to))).toEqual([]);
  expect(imports.length).toBeGreaterThan(files.length);
});
