import { afterEach, describe, expect, test } from 'vitest';
import {
  type CompanyPayload,
  type ContactPayload,
  companyContactEffect,
  companyEffect,
  contactEffect,
  keys,
} from '../../src/systems/amocrm/effects/payloads.ts';
import { type AmoScene, amoScene } from '../support/amo-scene.ts';

let scene: AmoScene;
afterEach(() => scene.close());

const SINCE = '2026-05-01T10:00:00.000Z';
const source = (id: string) => ({ system: 'onec', id });
const record = { kind: 'onec-document', key: 'Заказ 1' };
const phone = (n: number) => `+7913${String(n).padStart(7, '0')}`;

function contact(id: string, payload: Partial<ContactPayload> = {}) {
  return contactEffect(source(id), record, { name: `Клиент ${id}`, phoneEnum: 'WORK', since: SINCE, ...payload });
}
function company(id: string, payload: Partial<CompanyPayload> = {}) {
  return companyEffect(source(id), record, { name: `ООО ${id}`, phoneEnum: 'WORK', since: SINCE, ...payload });
}
const contactId = (id: string) => scene.idOf(keys.contact(source(id)));
const companyId = (id: string) => scene.idOf(keys.company(source(id)));
const writes = (requests: readonly string[]) => requests.filter((request) => !request.startsWith('GET'));

describe('a contact that the source names', () => {
  test('500 of them that stand are two reads and no write', async () => {
    scene = await amoScene();
    const { contacts } = scene.standin.add({ generate: { contacts: 500 } });
    const effects = contacts.map((existing, at) => contact(String(at), { existing, phone: phone(at) }));
    const { requests } = await scene.deliver(effects);
    expect(requests).toEqual(['GET /contacts', 'GET /contacts']);
    expect(await contactId('499')).toBe(contacts[499]);
  });

  test('stands for it whatever its phone, and another one with the phone is not it', async () => {
    scene = await amoScene();
    const { contacts } = scene.standin.add({
      contacts: [
        { name: 'Чужой', phones: [phone(1)] },
        { name: 'Названный', phones: [phone(2)] },
      ],
    });
    await scene.deliver([contact('a', { existing: contacts[1] ?? 0, phone: phone(1) })]);
    expect(await contactId('a')).toBe(contacts[1]);
    // The phone that it does not have is not taken for its own.
    expect(await scene.idOf(keys.phone(phone(1)))).toBeUndefined();
  });

  test('is found by phone, then by e-mail, where the named one is gone; else made', async () => {
    scene = await amoScene();
    const { contacts } = scene.standin.add({
      contacts: [
        { name: 'Старый' },
        { name: 'По телефону', phones: ['8 913 000-00-01'] },
        { name: 'По почте', emails: ['a@sdelka.example'] },
      ],
    });
    const [old = 0, byPhone, byEmail] = contacts;
    scene.standin.remove({ contact: old });
    const { requests } = await scene.deliver([
      contact('p', { existing: old, phone: phone(1), email: 'a@sdelka.example' }),
      contact('e', { existing: old, email: 'a@sdelka.example' }),
      contact('n', { existing: old, phone: phone(9) }),
      contact('bare', { existing: old }),
    ]);
    expect([await contactId('p'), await contactId('e')]).toEqual([byPhone, byEmail]);
    expect(writes(requests)).toEqual(['POST /contacts']);
    expect(
      scene.standin
        .contacts()
        .filter(({ name }) => name.startsWith('Клиент'))
        .map(({ name }) => name),
    ).toEqual(['Клиент n', 'Клиент bare']);
  });
});

describe('a contact', () => {
  test('is found by any of its phones, and by its e-mail alone in an account too large to index', async () => {
    scene = await amoScene();
    scene.standin.add({ generate: { contacts: 900 } });
    const { contacts } = scene.standin.add({
      contacts: [
        { name: 'Второй номер', phones: [phone(2)] },
        { name: 'Почта', emails: ['Mail@Sdelka.example'] },
      ],
    });
    const { requests } = await scene.deliver([
      contact('a', { phone: phone(1), phones: [phone(2)] }),
      contact('b', { email: 'mail@sdelka.example' }),
    ]);
    expect([await contactId('a'), await contactId('b')]).toEqual(contacts.slice(0, 2));
    expect(writes(requests)).toEqual([]);
  });

  test('is made with its phones, fields, tags and company', async () => {
    scene = await amoScene();
    const code = await scene.addField('contacts', { name: 'Код 1С', type: 'text' });
    const size = await scene.addField('contacts', { name: 'Постоянный', type: 'checkbox' });
    const made = company('c', { phone: phone(5) });
    await scene.deliver([
      made,
      contact('a', {
        phone: phone(1),
        phones: [phone(2)],
        email: 'a@sdelka.example',
        companyKey: made.key,
        tags: ['контакт загружен из 1С'],
        fields: { [code]: 'ЦБ000001', [size]: 'да', 1: '' },
      }),
    ]);
    expect(scene.standin.contacts()).toMatchObject([
      {
        phones: [phone(1), phone(2)],
        emails: ['a@sdelka.example'],
        tags: ['контакт загружен из 1С'],
        custom_fields: { [code]: 'ЦБ000001', [size]: true },
        companies: [await companyId('c')],
      },
    ]);
  });

  test('keeps its phone in the field that the mapping names, and is found by it', async () => {
    scene = await amoScene();
    const field = await scene.addField('contacts', { name: 'Телефон для 1С', type: 'text' });
    const { contacts } = scene.standin.add({
      contacts: [{ name: 'Есть', custom_fields: { [field]: '8 (913) 000-00-01' } }],
    });
    await scene.deliver([
      contact('a', { phone: phone(1), phoneFieldId: field }),
      contact('b', { phone: phone(2), phoneFieldId: field }),
    ]);
    expect(await contactId('a')).toBe(contacts[0]);
    expect(scene.standin.contacts().at(-1)).toMatchObject({ custom_fields: { [field]: phone(2) }, phones: [] });
  });

  test('a field that the account does not take is left out, and told of', async () => {
    scene = await amoScene();
    await scene.deliver([contact('a', { phone: phone(1), email: 'a@sdelka.example', fields: { 999: 'x' } })]);
    expect(scene.standin.contacts()).toMatchObject([{ phones: [phone(1)], emails: ['a@sdelka.example'] }]);
    expect(await scene.alerts()).toEqual([{ kind: 'mapping', subject: 'amocrm:field 999' }]);
  });

  test.each([
    ['by its code', true],
    ['by its name', false],
  ])('without phone and e-mail it is found again after a lost answer %s', async (_, coded) => {
    scene = await amoScene();
    const code = String(await scene.addField('contacts', { name: 'Код 1С', type: 'text' }));
    // Another one of the same name, made before all this, or having another code.
    const other = coded ? { custom_fields: { [code]: 'ЦБ02' } } : { created_at: 1_700_000_000 };
    scene.standin.add({ contacts: [{ name: 'Клиент a', ...other }] });
    scene.world.amo.fault({ match: 'POST /api/v4/contacts', kind: 'lost' });
    await scene.store([contact('a', coded ? { fields: { [code]: 'ЦБ01' }, codeField: code } : {})]);
    await scene.run();
    expect(scene.standin.contacts()).toHaveLength(2);
    expect(await contactId('a')).toBe(scene.standin.contacts()[1]?.id);
  });

  test('first looked for in a database that knows nothing: the named one is read, and nothing is walked through', async () => {
    scene = await amoScene();
    const { contacts } = scene.standin.add({ generate: { contacts: 3 } });
    const { requests } = await scene.deliver([contact('a', { existing: contacts[1] ?? 0 })], true);
    expect(requests).toEqual([`GET /contacts/${contacts[1]}`]);
  });
});

describe('a company', () => {
  test('is apart from contacts with the same phone', async () => {
    scene = await amoScene();
    const { contacts, companies } = scene.standin.add({
      contacts: [{ name: 'Директор', phones: [phone(1)] }],
      companies: [{ name: 'Сервис', phones: [phone(1)] }],
    });
    await scene.deliver([company('c', { phone: phone(1) }), contact('a', { phone: phone(1) })]);
    expect([await companyId('c'), await contactId('a')]).toEqual([companies[0], contacts[0]]);
  });

  test('is made once for two records with one phone, and found again after a lost answer', async () => {
    scene = await amoScene();
    scene.world.amo.fault({ match: 'POST /api/v4/companies', kind: 'lost' });
    await scene.store([company('a', { phone: phone(1), tags: ['1С'] }), company('b', { phone: phone(1) })]);
    await scene.run();
    await scene.run();
    expect(scene.standin.companies()).toMatchObject([{ name: 'ООО a', phones: [phone(1)], tags: ['1С'] }]);
    expect(await companyId('b')).toBe(await companyId('a'));
  });
});

describe('a company and its people', () => {
  const both = (contactPayload: Partial<ContactPayload> = {}) => {
    const made = company('c', { phone: phone(5) });
    const person = contact('a', { phone: phone(1), ...contactPayload });
    return [made, person, companyContactEffect(record, { companyKey: made.key, contactKey: person.key })];
  };

  test('who stood there before is linked; who was born linked needs no link', async () => {
    scene = await amoScene();
    scene.standin.add({ contacts: [{ name: 'Был', phones: [phone(1)] }] });
    const { requests } = await scene.deliver(both());
    expect(writes(requests)).toEqual(['POST /companies', 'POST /contacts/link']);
    expect(scene.standin.contacts()[0]?.companies).toEqual([await companyId('c')]);
    await scene.close();
    scene = await amoScene();
    const born = await scene.deliver(both({ companyKey: keys.company(source('c')) }));
    expect(writes(born.requests)).toEqual(['POST /companies', 'POST /contacts']);
  });

  test('who belongs to another company is left there, and told of', async () => {
    scene = await amoScene();
    const { contacts, companies } = scene.standin.add({
      contacts: [{ name: 'Был', phones: [phone(1)] }],
      companies: [{ name: 'Другая' }],
    });
    const { client } = scene.parts();
    await client.linkCompanies([{ contactId: contacts[0] ?? 0, companyId: companies[0] ?? 0 }]);
    const { requests } = await scene.deliver(both());
    expect(writes(requests)).toEqual(['POST /companies']);
    expect(scene.standin.contacts()[0]?.companies).toEqual(companies);
    expect(await scene.alerts()).toMatchObject([{ kind: 'conflict' }]);
  });

  test('of two companies that want one person the first one gets it', async () => {
    scene = await amoScene();
    const other = company('d', { phone: phone(6) });
    const effects = [...both(), other];
    const link = companyContactEffect(record, { companyKey: other.key, contactKey: keys.contact(source('a')) });
    await scene.deliver([...effects, link]);
    expect(scene.standin.contacts()[0]?.companies).toEqual([await companyId('c')]);
    expect(await scene.alerts()).toHaveLength(1);
  });

  test('a company that is gone is found anew', async () => {
    scene = await amoScene();
    const effects = both();
    await scene.deliver(effects.slice(0, 2));
    scene.standin.remove({ company: (await companyId('c')) ?? 0 });
    await scene.deliver(effects.slice(2));
    expect(await companyId('c')).toBeUndefined();
    scene.world.clock.advance(3_600_000);
    await scene.run();
    await scene.run();
    expect(scene.standin.companies()).toHaveLength(1);
    expect(scene.standin.contacts()[0]?.companies).toEqual([await companyId('c')]);
  });
});
