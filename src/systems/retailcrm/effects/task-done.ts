import type { EffectHandler, Outcome } from '../../../domain/handler.ts';
import type { RetailEffectOptions } from './context.ts';
import { retailKinds, type TaskDonePayload } from './payloads.ts';

/** A task to call back that nobody has to do any more. To complete it twice changes nothing, so that doubt costs a repetition. */
export function taskDoneHandler({ enterprise, crm }: RetailEffectOptions): EffectHandler {
  return {
    kind: retailKinds(enterprise).taskDone,
    batch: 1,
    quietMs: 0,
    counts: 'updated',
    send: async (deliveries, onSend) => {
      const outcomes = new Map<number, Outcome>();
      for (const { row, ids } of deliveries) {
        const { taskKey } = row.payload as unknown as TaskDonePayload;
        const remoteId = ids.get(taskKey) ?? '';
        await crm.completeTask(Number(remoteId), onSend);
        outcomes.set(row.id, { state: 'done', remoteId });
      }
      return outcomes;
    },
    look: async (deliveries) => new Map(deliveries.map(({ row }) => [row.id, { state: 'absent' }])),
    describe: () => ({ complete: true }),
  };
}
