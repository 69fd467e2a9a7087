// The 1C stream: 2,000 documents of a day, of which 500 are new, and the way back. What it costs is counted at both systems.
import { byRoute, createShop, distinct, startStandins } from './program.mjs';

const EXPORTED = 1500;
/** More work orders than customer orders: a work order has two goods and a work, a customer order one line. */
const NEW = { workOrders: 450, customerOrders: 50, clients: 150, goods: 400 };
const ADDED = NEW.workOrders + NEW.customerOrders;
const CHANGED_DEALS = 80;
const NEW_DEALS = 20;

const PIPELINE = 8266734;
const [STARTED, IN_WORK, PLACED] = [67494164, 67458414, 67458418];
const WORK_ORDERS = 'Document_ЗаказНаряд';
const SERVICE = '/odata/standard.odata/';

const MAPPING = `onec:
  statuses:
    - { pipeline: ${PIPELINE}, status: ${STARTED}, state: "Начать работу" }
    - { pipeline: ${PIPELINE}, status: ${IN_WORK}, state: "В работе" }
    - { pipeline: ${PIPELINE}, status: ${PLACED}, state: "Размещен", default: true }
    - { pipeline: ${PIPELINE}, status: 67458422, state: "Ожидает поставки" }
    - { pipeline: ${PIPELINE}, status: 67489658, state: "Готов к отгрузке" }
  fields: { number: 528943, recommendations: 805499, comment: 528957, reason: 805501, contact_code: 786089 }
  defaults:
    repairKind: { description: "Коммерческий ремонт" }
    author: { description: "Мастеров М. М." }
    unit: { set: Catalog_ЕдиницыИзмерения, description: "шт" }
  catalogs: { unit: { set: Catalog_ЕдиницыИзмерения } }
`;

/** Notes figures and shows tables as the bench does. amoCRM's limit is off, as with 10,000 orders: requests are counted, not timed. */
export async function measureOnec({ program, folder, note, table }) {
  const standins = await startStandins(program, '--documents', '0');
  const shop = await createShop(program, folder, `${standins.env}AMO_RPS=1000\n`, MAPPING);
  try {
    await standins.amo.configure({ rps: 0 });
    await measureExport({ shop, standins, note, table });
    await measureImport({ shop, standins, note, table });
  } finally {
    standins.close();
    shop.close();
  }
}

async function measureExport({ shop, standins, note, table }) {
  const { onec, amo } = standins;
  const half = EXPORTED / 2;
  await onec.seed({ workOrders: half, customerOrders: half, clients: 50, goods: 50, ...hoursAgo(20, 10) });
  const first = await pass(shop, standins, 'onec:export', { created: EXPORTED, updated: 0 });
  const before = await amo.state();
  await onec.seed({ ...NEW, ...hoursAgo(9, 1) });
  const busy = await pass(shop, standins, 'onec:export', { created: ADDED, updated: 0 });
  const after = await amo.state();
  const made = (...kinds) => kinds.reduce((sum, kind) => sum + after[kind].length - before[kind].length, 0);
  const [clients, items] = [made('contacts', 'companies'), made('elements')];
  await checkBoth(standins);
  const window = EXPORTED + ADDED;
  note(`first export of ${EXPORTED}, database adopting`, 'amoCRM requests per document', first.amo / EXPORTED, 0.3);
  note(`first export of ${EXPORTED}, database adopting`, '1C reads per document', first.reads / EXPORTED, 0.5);
  note(`first export of ${EXPORTED}, database adopting`, 'peak memory', first.peakMb, 150, 'MB');
  const name = `${ADDED} new of ${window} documents, ${clients} new clients, ${items} new items`;
  note(name, 'amoCRM requests per new document', busy.amo / ADDED, 0.3);
  note(name, '1C reads per document of the window', busy.reads / window, 0.5);
  note(name, '1C writes', busy.writes, 3 * ADDED + clients + items);
  note(name, 'answers of 429 or 403', busy.refused, 0);
  note(name, 'peak memory', busy.peakMb, 150, 'MB');
  table(`1C requests of ${name}`, ['route', 'requests'], busy.onecRoutes);
  table(`amoCRM requests of ${name}`, ['route', 'requests'], busy.amoRoutes);
  await measureStill({ shop, standins, note, table, window });
}

async function measureStill({ shop, standins, note, table, window }) {
  const still = await pass(shop, standins, 'onec:export', { created: 0, updated: 0 });
  const name = `export, none of ${window} documents changed`;
  note(name, 'requests, pages of documents but the first aside', still.amo + still.onec - still.furtherPages, 5);
  note(name, 'writes', still.writes + still.amoWrites, 0);
  note(name, 'peak memory', still.peakMb, 150, 'MB');
  table(`1C requests of ${name}`, ['route', 'requests'], still.onecRoutes);
}

async function measureImport({ shop, standins, note, table }) {
  const first = await pass(shop, standins, 'onec:import', { created: 0, updated: 0 });
  const exported = `import of ${EXPORTED + ADDED} deals that the export has made`;
  note(exported, '1C reads per deal', first.reads / (EXPORTED + ADDED));
  note(exported, 'writes', first.writes + first.amoWrites, 0);
  await changeDeals(standins);
  const busy = await pass(shop, standins, 'onec:import');
  const name = `import of ${CHANGED_DEALS + NEW_DEALS} changed deals, ${NEW_DEALS} of them new`;
  note(name, 'documents made', busy.created);
  note(name, 'documents changed', busy.updated);
  note(name, 'amoCRM requests', busy.amo);
  note(name, '1C reads', busy.reads);
  note(name, '1C writes', busy.writes);
  note(name, 'peak memory', busy.peakMb, 150, 'MB');
  table(`1C requests of the ${name}`, ['route', 'requests'], busy.onecRoutes);
  table(`amoCRM requests of the ${name}`, ['route', 'requests'], busy.amoRoutes);
  const still = await pass(shop, standins, 'onec:import', { created: 0, updated: 0 });
  note('import, nothing changed', 'requests', still.amo + still.onec);
  note('import, nothing changed', 'writes', still.writes + still.amoWrites, 0);
  table('Requests of the import, nothing changed', ['route', 'requests'], [...still.amoRoutes, ...still.onecRoutes]);
}

/** Local times of Moscow, in which the stand-in of 1C lives. */
function hoursAgo(from, to) {
  const local = (hours) => new Date(Date.now() + (3 - hours) * 3_600_000).toISOString().slice(0, 19);
  return { from: local(from), to: local(to) };
}

/** People move deals of work orders to another stage, and make new ones: each with a buyer, a work, known and new goods. */
async function changeDeals({ onec, amo }) {
  const [{ deals, elements }, base] = [await amo.state(), await onec.state()];
  const workOrders = deals.filter(({ name }) => name.startsWith('Заказ-наряд')).slice(0, CHANGED_DEALS);
  for (const { id, status_id: status } of workOrders) {
    await amo.seed({ edit: { lead: id, set: { status_id: status === IN_WORK ? STARTED : IN_WORK } } });
  }
  const names = new Set(base.Catalog_Автоработы.map((work) => work.Description));
  const works = elements.filter(({ name }) => names.has(name));
  const known = elements.filter(({ name }) => !names.has(name));
  const [lastContact, lastElement] = [lastId((await amo.state()).contacts), lastId(elements)];
  await amo.seed({
    contacts: Array.from({ length: NEW_DEALS }, (_, n) => ({ name: `Buyer ${n}`, phones: [`+7999${1_000_000 + n}`] })),
    elements: Array.from({ length: NEW_DEALS }, (_, n) => ({ name: `New goods ${n}`, sku: `NEW-${n}`, price: 500 })),
  });
  const made = await amo.state();
  const buyers = made.contacts.filter(({ id }) => id > lastContact);
  const fresh = made.elements.filter(({ id }) => id > lastElement);
  await amo.seed({
    deals: buyers.map(({ id }, n) => ({
      name: `Deal ${n}`,
      price: 2000,
      pipeline_id: PIPELINE,
      status_id: PLACED,
      contacts: [id],
      elements: [works[n % works.length], known[n], fresh[n]].map((one) => ({ id: one.id, quantity: 1 })),
    })),
  });
}

function lastId(cards) {
  return Math.max(0, ...cards.map(({ id }) => id));
}

/** One pass of a job, and what both systems saw of it. One that did not do what it had to is not worth measuring. */
async function pass(shop, { onec, amo }, job, wanted = {}) {
  await Promise.all([onec.forget(), amo.forget()]);
  const done = await shop.run(job, '--lookback', '1');
  const missed = Object.entries(wanted).filter(([what, count]) => done[what] !== count);
  if (done.outcome !== 'ok' || missed.length > 0) {
    throw new Error(`${job} ended ${done.outcome}: ${JSON.stringify(done)} instead of ${JSON.stringify(wanted)}`);
  }
  const [onecJournal, amoJournal] = [await onec.journal(), await amo.journal()];
  const isWrite = ({ method }) => method !== 'GET';
  return {
    ...done,
    amo: amoJournal.length,
    amoWrites: amoJournal.filter(isWrite).length,
    onec: onecJournal.length,
    reads: onecJournal.filter((entry) => !isWrite(entry)).length,
    writes: onecJournal.filter(isWrite).length,
    furtherPages: onecJournal.filter(isFurtherPage).length,
    refused: amoJournal.filter(({ status }) => status === 429 || status === 403).length,
    amoRoutes: byRoute(amoJournal, (path) => path.replace('/api/v4', '').replace(/\/\d+/g, '/{id}')),
    onecRoutes: byRoute(onecJournal, (path) =>
      decodeURIComponent(path)
        .replace(SERVICE, '')
        .replace(/\(.+\)/, '(…)'),
    ),
  };
}

/** Of a list of documents: a page but the first. */
function isFurtherPage({ method, path, query }) {
  const skip = Number(new URLSearchParams(query).get('$skip') ?? 0);
  return method === 'GET' && skip > 0 && decodeURIComponent(path).startsWith(`${SERVICE}Document_`);
}

/** Each document has one deal, and each names it. */
async function checkBoth({ onec, amo }) {
  const [base, made] = [await onec.state(), await amo.state()];
  const documents = [...base[WORK_ORDERS], ...base.Document_ЗаказПокупателя];
  const marked = distinct(base.InformationRegister_ДополнительныеСведения.map((record) => record.Объект));
  const lacking = documents.filter(({ Ref_Key }) => !marked.includes(Ref_Key));
  if (made.deals.length !== documents.length || lacking.length > 0) {
    throw new Error(`${made.deals.length} deals for ${documents.length} documents, ${lacking.length} without a mark`);
  }
}
