import type { Json } from '../../../base/schema.ts';
import type { Link } from '../../../domain/effect.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome, Report } from '../../../domain/handler.ts';
import type { OnecEntity } from '../api.ts';
import { isDuplicate } from '../errors.ts';
import { refOf } from '../schema.ts';
import { deterministicRef, filledBody } from './body.ts';
import { idOf, type OnecWriter, only, recordOf } from './context.ts';
import { describeCreate } from './describe.ts';
import { readBack } from './dropped.ts';
import { createOf, findStanding } from './find.ts';
import { HONOURED, lookAfresh } from './look.ts';
import { goneNeeds } from './needs.ts';
import { type CreatePayload, KINDS, keys } from './payloads.ts';

/** Objects that are made once: clients, contracts, goods, works and documents. One a request, for 1C takes no batches. */
export function createHandler(writer: OnecWriter, kind: string): EffectHandler {
  const { odata, living, memory, timing, units } = writer;
  /** Phones and e-mails of clients, and owners of contracts, that this run has made or met: what was read of 1C before cannot show them. */
  const met = new Map<string, string>();
  /** Row id → what it needs and 1C no longer has. */
  const gone = new Map<number, readonly string[]>();

  function standing(delivery: Delivery, ref: string, reports: readonly Report[] = []): Found {
    const payload = createOf(delivery);
    living.note(ref);
    for (const key of [...identities(payload), ...ownerOf(delivery)]) met.set(key, ref);
    return {
      remoteId: ref,
      ...(payload.state === undefined ? {} : { applied: payload.state }),
      links: [...identityLinks(payload, ref), ...dealLinks(kind, payload, ref)],
      reports,
    };
  }

  function metAlready(delivery: Delivery): string | undefined {
    return [...identities(createOf(delivery)), ...ownerOf(delivery)].map((key) => met.get(key)).find(Boolean);
  }

  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const settled = new Map<number, Found>();
    const named = deliveries.flatMap((delivery) => {
      const { set, existing } = createOf(delivery);
      return existing === undefined ? [] : [{ set, ref: existing, delivery }];
    });
    const stand = await living.of(named);
    for (const { ref, delivery } of named) {
      if (stand.has(ref)) settled.set(delivery.row.id, standing(delivery, ref));
    }
    const hits = await findStanding(
      writer,
      deliveries.filter(({ row }) => !settled.has(row.id)),
    );
    for (const delivery of deliveries) {
      if (settled.has(delivery.row.id)) continue;
      const mine = metAlready(delivery);
      const refs = hits.get(delivery.row.id) ?? [];
      const ref = mine ?? refs[0];
      if (ref !== undefined) settled.set(delivery.row.id, standing(delivery, ref, ambiguity(delivery, kind, refs)));
    }
    const left = deliveries.filter(({ row }) => !settled.has(row.id));
    for (const [id, missing] of await goneNeeds(writer, left)) gone.set(id, missing);
    const sendable = left.filter(({ row }) => !gone.has(row.id));
    await units.prepare(kind, () => sendable.map(bodyOf));
    return settled;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const delivery = only(deliveries);
    const missing = gone.get(delivery.row.id) ?? [];
    gone.delete(delivery.row.id);
    if (missing.length > 0) {
      const reason = `1C no longer has what it refers to (${missing.join(', ')}); that is found or made anew first`;
      return new Map([[delivery.row.id, { state: 'renew', keys: missing, reason }]]);
    }
    // Another effect may have made it since all of them were looked for together.
    const mine = metAlready(delivery);
    if (mine !== undefined) return new Map([[delivery.row.id, { state: 'done', ...standing(delivery, mine) }]]);
    const { set } = createOf(delivery);
    const body = await units.filled(kind, bodyOf(delivery));
    const made = await make(set, deterministicRef(delivery.row.key), body, onSend);
    const ref = refOf(made.answer, 'Ref_Key');
    // An answer that names no object leaves the deliverer in doubt, who then looks for it.
    if (ref === undefined) return new Map();
    if (made.sent) writer.made.add(ref);
    const reports = made.sent ? await readBack(writer, { set, ref, sent: body, answer: made.answer }) : [];
    return new Map([[delivery.row.id, { state: 'done', ...standing(delivery, ref, reports) }]]);
  }

  async function make(set: string, ref: string, body: OnecEntity, onSend: () => Promise<void>) {
    try {
      const answer = await odata.create(set, { ...body, Ref_Key: ref }, onSend);
      await noteHonoured(refOf(answer, 'Ref_Key') === ref);
      return { answer, sent: true };
    } catch (error) {
      // Such a key exists: it is ours, made by a database that is no more, or it was marked for deletion since.
      if (!isDuplicate(error)) throw error;
      const other = await odata.get(set, ref);
      if (other !== undefined && other.DeletionMark !== true)
        return { answer: { ...other, Ref_Key: ref }, sent: false };
      if (other === undefined) throw error;
      return { answer: await odata.create(set, body, onSend), sent: true };
    }
  }

  async function noteHonoured(honoured: boolean): Promise<void> {
    const word = honoured ? 'yes' : 'no';
    if ((await memory.fact(HONOURED)) !== word) await memory.setFact(HONOURED, word);
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const seen = await lookAfresh(writer, kind, deliveries);
    return new Map(
      deliveries.map((delivery): [number, Look] => {
        const one = seen.get(delivery.row.id);
        if (one === undefined) return [delivery.row.id, { state: 'absent' }];
        if ('distrust' in one) return [delivery.row.id, { state: 'unknown', reason: one.distrust }];
        return [delivery.row.id, { state: 'found', ...standing(delivery, one.ref) }];
      }),
    );
  }

  return {
    kind,
    batch: 1,
    ...timing,
    ...(STANDS_FOR_DEAL.includes(kind) ? { counts: 'created' as const } : {}),
    ...reserving(kind),
    known,
    send,
    look,
    describe: (payload) => describeCreate(writer.mapping, payload as CreatePayload),
  };
}

const STANDS_FOR_DEAL: readonly string[] = [KINDS.workOrder, KINDS.customerOrder];

function bodyOf(delivery: Delivery): OnecEntity {
  return filledBody(createOf(delivery), (key) => idOf(delivery, key));
}

/** Clients are shared by whoever has their phone; the others are known by their own key alone, which is unique already. */
function reserving(kind: string): Pick<EffectHandler, 'reservation'> {
  return kind === KINDS.client ? { reservation: (payload: Json) => identities(payload as CreatePayload)[0] } : {};
}

/** The keys under which other effects may want the same counterparty. */
function identities({ find }: CreatePayload): string[] {
  if (find.by !== 'contact') return [];
  return [
    ...(find.phone === undefined ? [] : [keys.clientPhone(find.phone)]),
    ...(find.email === undefined ? [] : [keys.clientEmail(find.email)]),
  ];
}

/** Under which a contract is met: a counterparty may be that of several contacts. */
function ownerOf(delivery: Delivery): string[] {
  const { find } = createOf(delivery);
  return find.by === 'owner' ? [`owner:${idOf(delivery, find.clientKey)}`] : [];
}

function identityLinks(payload: CreatePayload, remoteId: string): Link[] {
  return identities(payload).map((key) => ({ key, kind: `${KINDS.client}.identity`, remoteId }));
}

/**
 * The deal as the other direction knows it, under its keys and kinds: a document made for a deal must never be given a
 * second one.
 */
function dealLinks(kind: string, { dealId, deal, goods }: CreatePayload, ref: string): Link[] {
  if (dealId === undefined || !STANDS_FOR_DEAL.includes(kind)) return [];
  const remoteId = String(dealId);
  return [
    { key: `amocrm:deal:onec:${ref}`, kind: 'amocrm.deal', remoteId, ...(deal === undefined ? {} : { applied: deal }) },
    {
      key: `amocrm:deal-goods:onec:${ref}`,
      kind: 'amocrm.deal-goods',
      remoteId,
      ...(goods === undefined ? {} : { applied: goods }),
    },
  ];
}

function ambiguity(delivery: Delivery, kind: string, refs: readonly string[]): Report[] {
  if (kind !== KINDS.client || refs.length < 2) return [];
  const message = `${recordOf(delivery)}: ${refs.length} counterparties of 1C have the phone or e-mail of its client; the first of them (${refs[0]}) is taken`;
  return [{ kind: 'onec_ambiguous', subject: delivery.row.key, message }];
}
