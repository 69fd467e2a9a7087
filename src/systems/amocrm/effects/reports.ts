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

/** A contact has one company, and this one's is a person's choice. */
export function elsewhereReport({ row }: Delivery, contactId: number, companyId: number): Report {
  const { record } = row;
  return {
    kind: 'conflict',
    subject: `${record.kind}:${record.key}:company of contact ${contactId}`,
    message: `${record.kind} ${record.key}: contact ${contactId} belongs to another company in amoCRM, not to ${companyId}; it is left there`,
  };
}
