import { RemoteError } from '../../../base/remote-error.ts';
import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Outcome } from '../../../domain/handler.ts';
import { maskPhone } from '../../../domain/phone.ts';
import type { CallsUploaded } from '../client.ts';
import { PARTLY_DONE, unexplained, wordsOf } from '../errors.ts';
import { LARGEST_UPLOAD } from '../lists.ts';
import type { CallRecord } from '../write.ts';
import { noUserReport, type RetailEffectOptions, shownUser, userIdsOf } from './context.ts';
import { type Fault, faultsOf, isOf, toldFaults } from './faults.ts';
import { asJson, type CallPayload, retailKinds } from './payloads.ts';

const WHERE = { system: 'retailcrm', route: 'calls.upload' };

/** A finished call. One that was uploaded before is reported as a duplicate and stored once, so that doubt costs a repetition. */
export function callHandler(options: RetailEffectOptions): EffectHandler {
  const { enterprise, crm } = options;

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const payloads = deliveries.map(({ row }) => payloadOf(row.payload));
    const idOf = await userIdsOf(
      options,
      payloads.map(({ user }) => user),
    );
    const records = payloads.map((payload) => recordOf(payload, idOf(payload.user)));
    let answer: CallsUploaded;
    try {
      answer = await crm.uploadCalls(records, onSend);
    } catch (error) {
      return afterPart(error, deliveries);
    }
    const { processed, duplicates } = answer;
    // The number may hold the duplicates too; less than both together means that something was passed over in silence.
    if (processed !== undefined && processed + new Set(duplicates).size < records.length) {
      throw unexplained(WHERE, `RetailCRM took ${processed} of ${records.length} calls and says nothing of the others`);
    }
    return new Map(
      deliveries.map(({ row }, at): [number, Outcome] => {
        const record = records[at];
        const reports = unknownUser(payloadOf(row.payload), record);
        const remoteId = payloadOf(row.payload).externalId;
        return [row.id, { state: 'done', remoteId, applied: applied(record), ...(reports && { reports }) }];
      }),
    );
  }

  /** Some were taken and some not (460). Those named are settled, the others go again and come back as duplicates. */
  function afterPart(error: unknown, deliveries: readonly Delivery[]): Map<number, Outcome> {
    if (!(error instanceof RemoteError) || error.status !== PARTLY_DONE) throw error;
    const named = blame(error, deliveries);
    if (named.size === 0)
      throw unexplained(WHERE, `RetailCRM refused it: ${wordsOf(error.answer) ?? 'without a word'}`);
    return new Map(deliveries.map(({ row }) => [row.id, named.get(row.id) ?? { state: 'again' }]));
  }

  function unknownUser({ user, code }: CallPayload, record: CallRecord | undefined) {
    if (user === undefined || record?.userId !== undefined) return undefined;
    const where = code === undefined ? 'a call' : `extension ${code}`;
    return [noUserReport(enterprise, code ?? 'call', where, 'its calls go with the extension alone')];
  }

  function blame(error: RemoteError, deliveries: readonly Delivery[]): Map<number, Outcome> {
    const outcomes = new Map<number, Outcome>();
    for (const [delivery, faults] of faultsByCall(faultsOf(error.answer), deliveries)) {
      outcomes.set(delivery.row.id, judged(payloadOf(delivery.row.payload), faults));
    }
    return outcomes;
  }

  /** Without a manager a call is still a call; any other fault fails it. */
  function judged(payload: CallPayload, faults: readonly Fault[]): Outcome {
    const { code, user, ...rest } = payload;
    const isCode = (fault: Fault) => code !== undefined && isOf(fault, 'code');
    const isUser = (fault: Fault) => user !== undefined && isOf(fault, 'user');
    if (!faults.every((fault) => isCode(fault) || isUser(fault)))
      return { state: 'refused', reason: toldFaults(faults) };
    const lost = { code: faults.some(isCode), user: faults.some(isUser) };
    const kept = {
      ...(code !== undefined && !lost.code && { code }),
      ...(user !== undefined && !lost.user && { user }),
    };
    const kind = lost.code ? 'retail_code' : 'retail_user';
    const subject = `${enterprise}:${code ?? 'call'}`;
    const who = lost.code ? `extension ${code}` : `the user whom the mapping names for extension ${code ?? 'unknown'}`;
    const message = `enterprise ${enterprise}: RetailCRM does not know ${who}; calls go without (correct the mapping, then run \`sdelka retail:register\`)`;
    return { state: 'amended', payload: asJson({ ...rest, ...kept }), alert: { kind, subject, message } };
  }

  return {
    kind: retailKinds(enterprise).call,
    batch: LARGEST_UPLOAD,
    quietMs: 0,
    goesWithout: true,
    counts: 'created',
    since: (payload) => new Date(payloadOf(payload).date),
    send,
    // Sent again, it does no harm, and there is no list of calls to look into.
    look: async (deliveries) => new Map(deliveries.map(({ row }) => [row.id, { state: 'absent' }])),
    judge: blame,
    describe: (payload) => describe(payloadOf(payload)),
  };
}

/** Whose fault is whose: by the place in the batch, counted from 0 as Symfony's forms do, or by external id; alone, all are its own. */
function faultsByCall(faults: readonly Fault[], deliveries: readonly Delivery[]): Map<Delivery, Fault[]> {
  const found = new Map<Delivery, Fault[]>();
  const [only] = deliveries;
  for (const fault of faults) {
    const place = fault.path.find((part) => /^\d+$/.test(part));
    const named = deliveries.find(({ row }) => fault.path.includes(payloadOf(row.payload).externalId));
    const delivery = deliveries.length === 1 ? only : (named ?? deliveries[Number(place ?? Number.NaN)]);
    if (delivery) found.set(delivery, [...(found.get(delivery) ?? []), fault]);
  }
  return found;
}

function recordOf({ user, date, ...rest }: CallPayload, userId: number | undefined): CallRecord {
  return { ...rest, date: new Date(date), ...(userId === undefined ? {} : { userId }) };
}

/** What stands at RetailCRM from now on, without the phone. */
function applied(record: CallRecord | undefined): Json {
  if (record === undefined) return null;
  const { externalId: _id, phone: _phone, externalPhone: _line, date, ...rest } = record;
  return { ...rest, date: date.toISOString() } as Json;
}

/** The PBX names recordings after the client's number, in its own spelling: the end of it is the same in all. */
function describe({ phone, user, externalPhone, recordUrl, ...others }: CallPayload): Record<string, Json> {
  const { externalId: _id, ...rest } = others;
  const end = phone.replace(/\D/g, '').slice(-7);
  return {
    ...rest,
    phone: maskPhone(phone),
    ...(recordUrl === undefined ? {} : { recordUrl: recordUrl.replaceAll(end, '*'.repeat(end.length)) }),
    ...(user === undefined ? {} : { user: shownUser(user) }),
    ...(externalPhone === undefined ? {} : { externalPhone: maskPhone(externalPhone) }),
  };
}

function payloadOf(payload: Json): CallPayload {
  return payload as unknown as CallPayload;
}
