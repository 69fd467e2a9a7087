import { RemoteError } from '../../../base/remote-error.ts';
import type { OnecState } from '../../../config/mapping-onec-types.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome, Report } from '../../../domain/handler.ts';
import type { OnecLocal, OnecRef } from '../../../domain/onec.ts';
import { castRef, guid, type OnecEntity } from '../api.ts';
import { isVersionConflict } from '../errors.ts';
import { dateLiteral, fold } from '../filters.ts';
import { dateOf, refOf, typeOf } from '../schema.ts';
import { groupBy, idOf, type OnecWriter, only, recordOf } from './context.ts';
import { KINDS, type StatePayload } from './payloads.ts';

type Register = Extract<OnecState, { kind: 'register' }>;

interface Current {
  state: OnecRef | undefined;
  dataVersion: string;
}

/** A document's state is only ever moved from where both sides have agreed it to be: whoever works in 1C has the last word. */
export function stateHandler(writer: OnecWriter): EffectHandler {
  const { odata, reader, mapping, made, timing } = writer;
  /** Row id → the document as it was read right before the change. */
  const currents = new Map<number, Current>();
  const repeated = new Set<number>();
  /** Made by this run a moment ago: nobody can have moved it, and it need not be read. */
  const isFresh = (delivery: Delivery) => delivery.row.sentAt === null && made.has(refOfDocument(delivery));

  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const settled = new Map<number, Found>();
    const read = deliveries.filter((delivery) => !isFresh(delivery));
    for (const [type, group] of groupBy(read, (delivery) => payloadOf(delivery).type)) {
      const states = await reader.states(type, [...new Set(group.map(refOfDocument))]);
      for (const delivery of group) {
        const document = states.get(refOfDocument(delivery));
        if (document !== undefined) currents.set(delivery.row.id, document);
        const standing = document === undefined || document.deletionMark;
        const found = standing ? leftAsIs(delivery, goneReport(delivery)) : settle(delivery, document);
        if (found !== undefined) settled.set(delivery.row.id, found);
      }
    }
    return settled;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const delivery = only(deliveries);
    const { type } = payloadOf(delivery);
    const state = mapping.documents[type]?.state;
    if (state === undefined) {
      const reason = `onec.documents.${type}.state is not set in the mapping, so that its state cannot be changed`;
      return new Map([[delivery.row.id, { state: 'refused', reason }]]);
    }
    try {
      if (state.kind === 'register') await writeRecord(delivery, state, onSend);
      else await change(delivery, state.field, onSend);
    } catch (error) {
      if (isVersionConflict(error)) return again(delivery, onSend);
      // 1C's own words say why; which state they are about is ours to add. The next change of the deal takes its place.
      if (!isRefusedItem(error)) throw error;
      const reason = `state "${payloadOf(delivery).to.name}": ${error.message}`;
      return new Map([[delivery.row.id, { state: 'refused', reason }]]);
    }
    return new Map([[delivery.row.id, { state: 'done', ...agreed(delivery) }]]);
  }

  async function change(delivery: Delivery, field: string, onSend: () => Promise<void>): Promise<void> {
    const { type, to } = payloadOf(delivery);
    const set = mapping.documents[type]?.set ?? '';
    const version = mapping.server.ifMatch === 'never' ? undefined : currents.get(delivery.row.id)?.dataVersion;
    const options = { onSend, ...(version === undefined || version === '' ? {} : { dataVersion: version }) };
    await odata.change(set, refOfDocument(delivery), { [field]: to.ref }, options);
  }

  /** The latest record is changed, since 1C keeps one a document there, dated as the document is; a new one is dated so too. */
  async function writeRecord(delivery: Delivery, state: Register, onSend: () => Promise<void>): Promise<void> {
    const { type, to } = payloadOf(delivery);
    const document = mapping.documents[type];
    const [set, ref] = [document?.set ?? '', refOfDocument(delivery)];
    const dated = dateOf((await odata.get(set, ref)) ?? {}, document?.date);
    const isTold = currents.get(delivery.row.id)?.state !== undefined;
    const latest = await latestRecord(state, { set, ref }, isTold ? dated : undefined);
    const object = state.object.endsWith('_Key') ? { guid: ref } : { guid: ref, set };
    const key = { Period: { at: latest ?? dated ?? odata.localNow() }, [state.object]: object };
    const values: OnecEntity = { [state.value]: to.ref };
    if (!state.value.endsWith('_Key')) values[`${state.value}_Type`] = `StandardODATA.${state.catalog}`;
    await odata.putRecord(state.set, key, values, onSend);
  }

  /** A filter by a composite reference may give nothing without a word: where a state is known to stand, all since `from` are read. */
  async function latestRecord(
    state: Register,
    { set, ref }: { set: string; ref: string },
    from: OnecLocal | undefined,
  ): Promise<OnecLocal | undefined> {
    const ofDocument = (records: readonly OnecEntity[]) =>
      records
        .filter((record) => refOf(record, state.object) === ref && [set, ''].includes(typeOf(record, state.object)))
        .flatMap((record) => dateOf(record, 'Period') ?? []);
    const wanted = state.object.endsWith('_Key') ? guid(ref) : castRef(ref, set);
    const periods = ofDocument(await odata.list(state.set, { filter: `${state.object} eq ${wanted}` }));
    if (periods.length === 0 && from !== undefined) {
      const query = { filter: `Period ge ${dateLiteral(from)}`, orderby: 'Period', pageSize: 1000 };
      for await (const page of odata.pages(state.set, query)) periods.push(...ofDocument(page));
    }
    return periods.sort().at(-1);
  }

  /** Somebody has saved the document since it was read, so that nothing was changed: it is judged anew, once. */
  async function again(delivery: Delivery, onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const { id } = delivery.row;
    const found = (await known([delivery])).get(id);
    if (found !== undefined) return new Map([[id, { state: 'done', ...found }]]);
    if (!repeated.has(id)) {
      repeated.add(id);
      return send([delivery], onSend);
    }
    const reason = `${recordOf(delivery)}: its document is being worked on in 1C; the state is changed later`;
    return new Map([[id, { state: 'refused', reason }]]);
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const found = await known(deliveries);
    return new Map(
      deliveries.map(({ row }): [number, Look] => {
        const one = found.get(row.id);
        return [row.id, one ? { state: 'found', ...one } : { state: 'absent' }];
      }),
    );
  }

  return {
    kind: KINDS.state,
    batch: 1,
    ...timing,
    counts: 'updated',
    known,
    send,
    look,
    describe: (payload) => {
      const { documentKey, type, to, ours } = payload as StatePayload;
      return { document: documentKey, type, state: to.name, from: ours };
    },
  };
}

function payloadOf(delivery: Delivery): StatePayload {
  return delivery.row.payload as StatePayload;
}

function refOfDocument(delivery: Delivery): string {
  return idOf(delivery, payloadOf(delivery).documentKey);
}

/** Nothing is to be sent where the state is there already, or where 1C's own state goes before ours. */
function settle(delivery: Delivery, { state }: Current): Found | undefined {
  const { to, ours, first } = payloadOf(delivery);
  if (state !== undefined && (state.ref === to.ref || fold(state.name) === fold(to.name))) return agreed(delivery);
  const isOurs = state === undefined || ours.some((name) => fold(name) === fold(state.name));
  return first === true || isOurs ? undefined : leftAsIs(delivery, conflictReport(delivery, state.name));
}

/** Both sides agree on the state from now on; kept with the document's own link. */
function agreed(delivery: Delivery): Found {
  const { documentKey, type, to } = payloadOf(delivery);
  const remoteId = refOfDocument(delivery);
  const kind = type === 'workOrder' ? KINDS.workOrder : KINDS.customerOrder;
  return { remoteId, links: [{ key: documentKey, kind, remoteId, applied: { type, state: to.name } }] };
}

/** What was last agreed on stays with the link, so that 1C's own state is never taken for one that we have put there. */
function leftAsIs(delivery: Delivery, report: Report): Found {
  return { remoteId: refOfDocument(delivery), reports: [report] };
}

function conflictReport(delivery: Delivery, state: string): Report {
  const { record } = delivery.row;
  const { to } = payloadOf(delivery);
  return {
    kind: 'conflict',
    subject: `${record.kind}:${record.key}:state`,
    message: `${recordOf(delivery)}: document ${refOfDocument(delivery)} was moved to "${state}" in 1C, while the deal asks for "${to.name}"; 1C's state stays and the export gives it to the deal. To have the deal's, set it in 1C by hand`,
  };
}

function goneReport(delivery: Delivery): Report {
  const { record } = delivery.row;
  return {
    kind: 'document_gone',
    subject: `${record.kind}:${record.key}`,
    message: `${recordOf(delivery)}: document ${refOfDocument(delivery)} was deleted in 1C or marked for deletion; it is not made again`,
  };
}

/** 1C understood the change and surely did not carry it out; everything else concerns more than this document. */
function isRefusedItem(error: unknown): error is RemoteError {
  const ofOneItem = error instanceof RemoteError && [400, 404, 413, 422].includes(error.status ?? 0);
  return ofOneItem && error.outcome === 'refused';
}
