import type { Delivery, Report } from '../../../domain/handler.ts';

/** A person's change that stands in the way of ours: it is left as it is. */
export function conflictReport({ row }: Delivery, dealId: number, what: string): Report {
  const { record } = row;
  return {
    kind: 'conflict',
    subject: `${record.kind}:${record.key}:${what}`,
    message: `${record.kind} ${record.key}: ${what} of deal ${dealId} was changed in amoCRM by someone else; it is left as it is`,
  };
}

export function goneReport({ row }: Delivery, dealId: number): Report {
  const { record } = row;
  return {
    kind: 'deal_gone',
    subject: `${record.kind}:${record.key}`,
    message: `${record.kind} ${record.key}: deal ${dealId} is gone in amoCRM; it is not made again`,
  };
}
