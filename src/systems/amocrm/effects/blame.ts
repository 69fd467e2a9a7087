import type { RemoteError } from '../../../base/remote-error.ts';
import type { Json } from '../../../base/schema.ts';
import type { Effect } from '../../../domain/effect.ts';
import type { Delivery, Outcome } from '../../../domain/handler.ts';
import { type ValidationError, validationErrors } from '../schema.ts';

export interface BlameOptions {
  /** Ids of the custom fields in the order in which they were sent. */
  fields: (delivery: Delivery) => readonly string[];
  /** Whether the item may go without its stage; else a stage that is refused fails it. */
  stage?: (delivery: Delivery) => boolean;
  /** Effects that tell people what was left out. */
  extra: (delivery: Delivery, what: string, code: string) => readonly Effect[];
}

/**
 * Reads who is to blame for a refused batch. A custom field or a user that the account does not take is left out of its
 * item, for an order must reach the CRM although the mapping went stale; any other fault fails the item.
 * `request_id` names the item; without one amoCRM counts items from 0 (error page mirrors; amocrm-api-php issue 12).
 */
export function blame(
  error: RemoteError,
  deliveries: readonly Delivery[],
  options: BlameOptions,
): Map<number, Outcome> {
  const outcomes = new Map<number, Outcome>();
  for (const delivery of deliveries) {
    const place = String(deliveries.indexOf(delivery));
    const named = validationErrors(error.answer).filter(({ requestId }) =>
      requestId === String(delivery.row.id) ? true : requestId === place && !isRowId(requestId, deliveries),
    );
    if (named.length > 0) outcomes.set(delivery.row.id, judgeItem(delivery, named, options));
  }
  return outcomes;
}

function isRowId(requestId: string, deliveries: readonly Delivery[]): boolean {
  return deliveries.some(({ row }) => String(row.id) === requestId);
}

function judgeItem(delivery: Delivery, errors: readonly ValidationError[], options: BlameOptions): Outcome {
  const payload = { ...(delivery.row.payload as { [key: string]: Json }) };
  const fields = { ...((payload.fields ?? {}) as { [key: string]: Json }) };
  const mayLoseStage = options.stage?.(delivery) ?? false;
  const leftOut: { what: string; code: string }[] = [];
  for (const { path, code } of errors) {
    const field = options.fields(delivery)[Number(/^custom_fields_values\.(\d+)/.exec(path)?.[1] ?? Number.NaN)];
    if (field !== undefined && field in fields) {
      delete fields[field];
      leftOut.push({ what: `field ${field}`, code });
    } else if (path.startsWith('responsible_user_id') && 'responsibleUserId' in payload) {
      delete payload.responsibleUserId;
      leftOut.push({ what: 'responsible user', code });
    } else if (mayLoseStage && path.startsWith('pipeline_id') && 'pipelineId' in payload) {
      leftOut.push({ what: `pipeline ${String(payload.pipelineId)}`, code });
      delete payload.pipelineId;
      delete payload.statusId;
    } else if (mayLoseStage && path.startsWith('status_id') && 'statusId' in payload) {
      // Gone, or the stage of unsorted requests, which takes no deals by the API: the deal goes to the first stage, or stays.
      leftOut.push({ what: `stage ${String(payload.statusId)}`, code });
      delete payload.statusId;
    } else if (path.startsWith('loss_reason_id') && 'lossReasonId' in payload) {
      delete payload.lossReasonId;
      leftOut.push({ what: 'loss reason', code });
    }
  }
  const first = leftOut[0];
  if (first === undefined) {
    const reasons = errors.map(({ path, code }) => `${path || 'item'}: ${code}`).join(', ');
    return { state: 'refused', reason: `amoCRM refused it (${reasons})` };
  }
  if ('fields' in payload) payload.fields = fields;
  const what = leftOut.map((one) => one.what).join(', ');
  return {
    state: 'amended',
    payload,
    alert: {
      subject: `amocrm:${what}`,
      message: `amoCRM does not accept the ${what} of the mapping (${first.code}); records go without it`,
    },
    extra: options.extra(delivery, what, first.code),
  };
}
