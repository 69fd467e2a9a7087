import type { Delivery, EffectHandler, Look, Outcome } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import { validationErrors } from '../schema.ts';
import { blame } from './blame.ts';
import { KINDS, type NotePayload } from './payloads.ts';

/** Stands for a note that was not made, since its deal is gone. */
const NO_NOTE = 'none';

/** A note on a deal; its marker is how it is found again, since notes have no key of their own. */
export function noteHandler({ client }: { client: AmocrmClient }): EffectHandler {
  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const made = await client.createNotes(
      'deals',
      deliveries.map((delivery) => ({
        requestId: String(delivery.row.id),
        entityId: dealIdOf(delivery),
        text: payloadOf(delivery).text,
        triggersPipeline: payloadOf(delivery).triggersPipeline,
      })),
      onSend,
    );
    const outcomes = new Map<number, Outcome>();
    for (const { row } of deliveries) {
      const id = made.get(String(row.id));
      if (id !== undefined) outcomes.set(row.id, { state: 'done', remoteId: String(id) });
    }
    return outcomes;
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const notes = await client.notesOfDeals(deliveries.map(dealIdOf));
    return new Map(
      deliveries.map((delivery): [number, Look] => {
        const { marker } = payloadOf(delivery);
        const found = (notes.get(dealIdOf(delivery)) ?? []).find((note) => lastLine(note.text) === marker);
        return [delivery.row.id, found ? { state: 'found', remoteId: String(found.id) } : { state: 'absent' }];
      }),
    );
  }

  return {
    kind: KINDS.note,
    batch: 50,
    hangsOn: (payload) => (payload as NotePayload).dealKey,
    send,
    look,
    judge: (error, deliveries) => {
      const outcomes = blame(error, deliveries, { fields: () => [], extra: () => [] });
      // A person has deleted the deal: there is nothing left to hang the note on, however often it is tried.
      const gone = validationErrors(error.answer).filter(({ path }) => path.startsWith('entity_id'));
      for (const { row } of deliveries) {
        const noDeal = gone.some(({ requestId }) => requestId === String(row.id));
        if (noDeal) outcomes.set(row.id, { state: 'done', remoteId: NO_NOTE });
      }
      return outcomes;
    },
    describe: (payload) => ({ text: (payload as NotePayload).text }),
  };
}

/** Whole, for `change-1` also begins `change-12`. */
function lastLine(text: string): string {
  return (
    text
      .trimEnd()
      .split(/\r?\n|<br\s*\/?>/)
      .at(-1)
      ?.trim() ?? ''
  );
}

function payloadOf(delivery: Delivery): NotePayload {
  return delivery.row.payload as NotePayload;
}

function dealIdOf(delivery: Delivery): number {
  return Number(delivery.ids.get(payloadOf(delivery).dealKey));
}
