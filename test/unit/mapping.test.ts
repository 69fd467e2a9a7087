import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { loadMapping, type Mapping } from '../../src/config/mapping.ts';

async function load(yaml: string): Promise<Mapping> {
  const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-mapping-'));
  writeFileSync(join(baseDir, 'mapping.yaml'), yaml);
  return loadMapping({ baseDir });
}

async function refusal(loading: Promise<unknown>): Promise<AppError> {
  const error: unknown = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof AppError) {
    return error;
  }
  throw new Error(`expected an AppError, got ${String(error)}`);
}

const faultsOf = async (yaml: string) => (await refusal(load(yaml))).faults;

describe('loadMapping', () => {
  test('without a file every default holds', async () => {
    const mapping = await loadMapping({ baseDir: mkdtempSync(join(tmpdir(), 'sdelka-mapping-')) });
    expect(mapping).toMatchObject({
      kaspi: {
        deal: {
          name: { text: 'Kaspi #{code}' },
          tags: [{ text: 'Kaspi' }, { text: '{state}' }],
          fields: [],
          note: true,
        },
        stages: [],
        neverBack: true,
        push: [],
      },
      amo: { contact: { phoneEnum: 'WORK', neverRename: true } },
    });
    expect(mapping.kaspi.deal.externalIdField).toBeUndefined();
    expect(await load('# nothing yet\n')).toEqual(mapping);
    expect(await load('kaspi:\namo: { fields: null }\n')).toEqual(mapping);
  });

  test('a named file must exist', async () => {
    const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-mapping-'));
    const error = await refusal(loadMapping({ baseDir, file: 'shop.yaml' }));
    expect(error).toMatchObject({ exit: 78, message: expect.stringContaining(join(baseDir, 'shop.yaml')) });
    expect((await refusal(loadMapping({ baseDir, file: '.' }))).message).toContain('EISDIR');
  });

  test('mapping.example.yaml is right, and shows what the contract shows', async () => {
    const { kaspi, amo } = await loadMapping({ baseDir: process.cwd(), file: 'mapping.example.yaml' });
    expect(kaspi.deal).toMatchObject({
      externalIdField: 900101,
      fields: [
        { fieldId: 900101, template: { text: '{code}' } },
        { fieldId: 900102, template: { names: ['deliveryAddress.formattedAddress'] } },
      ],
    });
    expect(kaspi.stages).toContainEqual({
      when: expect.objectContaining({ status: ['CANCELLED'], state: undefined }),
      status: 143,
      pipeline: undefined,
      lossReason: 4203748,
      afterFinal: false,
    });
    expect(kaspi.stages[0]).toMatchObject({
      when: { status: ['RETURNED', 'RETURN_ACCEPTED_BY_MERCHANT'] },
      afterFinal: true,
    });
    expect(kaspi.push.map(({ action }) => action)).toEqual(['accept', 'assemble', 'cancel']);
    expect(kaspi.push[2]).toMatchObject({ onlyByPerson: true, maxPerPass: 5, reason: 'MERCHANT_OUT_OF_STOCK' });
    expect(amo.contact.phoneEnum).toBe('WORK');
  });

  test('lists every fault at once, each with its line and path', async () => {
    const error = await refusal(
      load(`kaspi:
  deal:
    name: "Order {kode}"
    tags: Kaspi
    fields:
      900101: "{code"
      abc: "{code}"
      900103: 5
    note: maybe
    extrenal_id_field: 1
  stages:
    - { when: { status: COMPLETD }, status: 142 }
    - when: { state: COMPLETED, assembled: [yes] }
    - status: 1.5
      when: {}
      loss_reason: 7
  push:
    - { pipeline: 1, status: 2, action: cancel }
    - { pipeline: 1, status: 2, action: accept, spaces: -1 }
amo:
  contact: { phone_enum: MOBILE }
  fields: [1]
orders: {}
`),
    );
    expect(error).toMatchObject({ code: 'MAPPING_INVALID', exit: 78, message: expect.stringContaining('18 faults') });
    expect(error.faults).toEqual([
      'mapping.yaml:3: kaspi.deal.name: unknown name {kode}; did you mean code?',
      'mapping.yaml:4: kaspi.deal.tags: expected a list',
      'mapping.yaml:6: kaspi.deal.fields.900101: "{" without its partner',
      'mapping.yaml:7: kaspi.deal.fields.abc: expected the key to be an id, a whole number above 0',
      'mapping.yaml:8: kaspi.deal.fields.900103: expected a text, in quotes',
      'mapping.yaml:9: kaspi.deal.note: expected true or false',
      'mapping.yaml:10: kaspi.deal.extrenal_id_field: unknown key; did you mean external_id_field?',
      expect.stringMatching(/^mapping.yaml:12: kaspi.stages\[0\].when.status: .*did you mean COMPLETED\?$/),
      expect.stringMatching(/^mapping.yaml:13: kaspi.stages\[1\].when.state: expected one of NEW, /),
      'mapping.yaml:13: kaspi.stages[1].when.assembled[0]: expected true or false',
      'mapping.yaml:13: kaspi.stages[1].status: missing',
      'mapping.yaml:14: kaspi.stages[2].status: expected a whole number above 0',
      'mapping.yaml:18: kaspi.push[0].reason: missing; Kaspi cancels no order without one',
      'mapping.yaml:19: kaspi.push[1].spaces: expected a whole number above 0',
      'mapping.yaml:19: kaspi.push[1].spaces: belongs to the action assemble',
      expect.stringMatching(/^mapping.yaml:21: amo.contact.phone_enum: expected one of WORK, /),
      expect.stringMatching(/^mapping.yaml:22: amo.fields: expected a map/),
      'mapping.yaml:23: orders: unknown key',
    ]);
  });

  test('a deal must be findable again: by a field that holds the code alone, or by its name', async () => {
    expect(await faultsOf('kaspi:\n  deal:\n    name: "{customer.name}"\n')).toEqual([
      expect.stringMatching(/^mapping.yaml:3: kaspi.deal.name: must hold \{code\}/),
    ]);
    await load('kaspi: { deal: { name: "{customer.name}", external_id_field: 900101 } }');
    expect(await faultsOf('kaspi: { deal: { external_id_field: 9, fields: { 9: "Kaspi {code}" } } }')).toEqual([
      expect.stringMatching(/^mapping.yaml:1: kaspi.deal.external_id_field: must hold the order code alone/),
    ]);
    // The rule speaks although another key is wrong, and keeps silent where the field was meant.
    expect(await faultsOf('kaspi: { deal: { name: "x", note: 1 } }')).toHaveLength(2);
    expect(await faultsOf('kaspi: { deal: { name: "x", external_id_field: nine } }')).toHaveLength(1);
  });

  test('a loss reason is for the lost stage alone', async () => {
    expect(await faultsOf('kaspi: { stages: [{ when: {}, status: 142, loss_reason: 1 }] }')).toEqual([
      expect.stringMatching(/kaspi\.stages\[0\]\.loss_reason: only the stage 143/),
    ]);
  });

  test('words that Kaspi may add tomorrow pass in conditions', async () => {
    const { kaspi } = await load(
      'kaspi: { stages: [{ when: { status: [ON_THE_MOON], paymentMode: KASPI_GOLD }, status: 1 }] }',
    );
    expect(kaspi.stages[0]?.when).toMatchObject({ status: ['ON_THE_MOON'], paymentMode: ['KASPI_GOLD'] });
  });

  test('parts of other streams are let through', async () => {
    const others = 'leads: { x: 1 }\npassports: [1]\nonec:\ncalls: null\npayments: { products: [] }\n';
    expect(await load(others)).toEqual(await load(''));
  });

  test.each([
    ['kaspi:\n  deal: {\n', /^mapping\.yaml:\d: YAML: /],
    ['kaspi:\n  never_back: true\n  never_back: false\n', /^mapping\.yaml:3: this key stands twice/],
    [
      'kaspi: { deal: { fields: {\n  900101: "{code}",\n  "900101": "{id}" } } }\n',
      /^mapping\.yaml:3: this key stands twice/,
    ],
    ['a: *nothing\n', /^mapping\.yaml:1: YAML: /],
    ['kaspi: !!js/function "x"\n', /^mapping\.yaml:1: YAML: /],
    ['kaspi:\n\tdeal: {}\n', /^mapping\.yaml:2: YAML: /],
    ['- kaspi\n', /^mapping\.yaml:1: expected a map with the keys kaspi, amo/],
    ['kaspi: {}\n---\namo: {}\n', /^mapping\.yaml:\d: YAML: /],
  ])('%j is refused with its line', async (yaml, fault) => {
    expect((await faultsOf(yaml))[0]).toMatch(fault);
  });

  test('aliases are followed, for values and for lines', async () => {
    const yaml = 'kaspi:\n  stages:\n    - &row { when: {}, status: 1 }\n    - *row\n';
    expect((await load(yaml)).kaspi.stages).toHaveLength(2);
    expect(await faultsOf(yaml.replace('status: 1', 'status: x'))).toHaveLength(2);
  });
});

describe('a mapping that was read before', () => {
  const yaml = 'kaspi:\n  deal: { name: "Order {code}" }\n';

  function notebook() {
    const kept = new Map<string, unknown>();
    return {
      kept,
      get: async (hash: string) => kept.get(hash),
      // As a database would keep it.
      put: async (hash: string, value: unknown) => {
        kept.set(hash, JSON.parse(JSON.stringify(value)));
      },
    };
  }

  function folder(text: string): string {
    const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-mapping-'));
    writeFileSync(join(baseDir, 'mapping.yaml'), text);
    return baseDir;
  }

  test('is the same from memory as from the file', async () => {
    const memory = notebook();
    const baseDir = process.cwd();
    const file = 'mapping.example.yaml';
    const first = await loadMapping({ baseDir, file, memory });
    expect(memory.kept.size).toBe(1);
    expect(await loadMapping({ baseDir, file, memory })).toEqual(first);
  });

  test('is taken from memory while the text is the same, and from the file once it changed', async () => {
    const memory = notebook();
    const baseDir = folder(yaml);
    await loadMapping({ baseDir, memory });
    for (const hash of memory.kept.keys()) memory.kept.set(hash, { kaspi: { deal: { name: 'from memory {code}' } } });
    expect((await loadMapping({ baseDir, memory })).kaspi.deal.name).toMatchObject({ text: 'from memory {code}' });
    writeFileSync(join(baseDir, 'mapping.yaml'), `${yaml}# changed\n`);
    expect((await loadMapping({ baseDir, memory })).kaspi.deal.name).toMatchObject({ text: 'Order {code}' });
  });

  test('is read again from the file where what was kept has a fault', async () => {
    const memory = notebook();
    const baseDir = folder(yaml);
    await loadMapping({ baseDir, memory });
    for (const hash of memory.kept.keys()) memory.kept.set(hash, { kaspi: { deel: {} } });
    expect((await loadMapping({ baseDir, memory })).kaspi.deal.name).toMatchObject({ text: 'Order {code}' });
  });

  test('is not kept where it has faults', async () => {
    const memory = notebook();
    const error = await refusal(loadMapping({ baseDir: folder('kaspi: { deel: {} }\n'), memory }));
    expect(error.faults).toEqual([expect.stringMatching(/^mapping.yaml:1: kaspi.deel: unknown key/)]);
    expect(memory.kept.size).toBe(0);
  });
});
