import { expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { clientIdOf, mergeCodes, moduleDraft } from '../../src/commands/retail-module.ts';
import type { IntegrationModule, User } from '../../src/systems/retailcrm/schema.ts';

const users = [
  { id: 24, email: 'Aigul@firm.example', active: true },
  { id: 25, email: 'berik@firm.example', active: true },
  { id: 26, email: 'gone@firm.example', active: false },
] as unknown as User[];

const settings = { name: 'sdelka', logo: undefined, publicUrl: 'https://pbx.example/hook/', clientId: undefined };
const standing = {
  code: 'sdelka',
  active: true,
  name: 'sdelka',
  clientId: new Secret('standing-client'),
  baseUrl: 'https://old.example',
  accountUrl: undefined,
  logo: 'https://old.example/own.svg',
  telephony: {
    makeCallUrl: 'https://old.example/click',
    changeUserStatusUrl: undefined,
    allowEdit: false,
    additionalCodes: [{ userId: 24, code: '150' }],
    externalPhones: [{ siteCode: 'shop', externalPhone: '375170000000' }],
  },
} as unknown as IntegrationModule;

test('extensions are put beside those that stand there, and those of nobody are told of', () => {
  const standingCodes = [
    { userId: 24, code: '150' },
    { userId: 25, code: '201' },
  ];
  const wanted = new Map<string, string | number>([
    ['201', 'aigul@firm.example'],
    ['202', 25],
    ['203', 'nobody@firm.example'],
    ['204', 'gone@firm.example'],
  ]);
  expect(mergeCodes(standingCodes, wanted, users)).toEqual({
    codes: [
      { userId: 24, code: '150' },
      { userId: 24, code: '201' },
      { userId: 25, code: '202' },
    ],
    added: [{ code: '202', userId: 25 }],
    moved: [{ code: '201', userId: 24 }],
    unknown: ['203', '204'],
  });
});

test('a click is proved by what is set, else by what stands there, else by what was made here', () => {
  const [set, there] = [new Secret('set'), new Secret('there')];
  expect(clientIdOf(set, there, 'kept').reveal()).toBe('set');
  expect(clientIdOf(undefined, there, 'kept').reveal()).toBe('there');
  expect(clientIdOf(undefined, undefined, 'kept').reveal()).toBe('kept');
  const [one, other] = [clientIdOf(undefined, undefined, undefined), clientIdOf(undefined, undefined, undefined)];
  expect(one.reveal()).toMatch(/^[\w-]{32}$/);
  expect(one.reveal()).not.toBe(other.reveal());
});

test('a new module gets our addresses, and one that stands there keeps what we do not set', () => {
  const id = new Secret('client');
  expect(moduleDraft(settings, id, [], undefined)).toMatchObject({
    baseUrl: 'https://pbx.example/hook',
    logo: 'https://pbx.example/hook/logo.svg',
    telephony: { makeCallUrl: 'https://pbx.example/hook/api/makecallexternal', additionalCodes: [] },
  });
  expect(moduleDraft({ ...settings, publicUrl: undefined }, id, [], standing)).toMatchObject({
    baseUrl: 'https://old.example',
    logo: 'https://old.example/own.svg',
    telephony: {
      makeCallUrl: 'https://old.example/click',
      externalPhones: [{ siteCode: 'shop', externalPhone: '375170000000' }],
    },
  });
});

test('a new module without an address of ours is refused by name of the variable', () => {
  const draft = () => moduleDraft({ ...settings, publicUrl: undefined }, new Secret('client'), [], undefined);
  expect(draft).toThrow(expect.objectContaining({ exit: 78, code: 'PUBLIC_URL_MISSING' }));
});
