import type { SandboxAnswer } from '../kit.ts';
import type { HistoryEntry } from './model.ts';
import { badInput, type Call, type Filter, filtersOf, ok, oneOf, paged, pageOf } from './wire.ts';
import type { HistoryKind } from './world.ts';

function since(): Filter<HistoryEntry> {
  return ([value = ''], name) => {
    if (!/^\d+$/.test(value)) throw badInput(name, 'This value is not valid.');
    return ({ id }) => id > Number(value);
  };
}

function moment(side: 'from' | 'to'): Filter<HistoryEntry> {
  return ([value = ''], name) => {
    if (!/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/.test(value)) throw badInput(name, 'This value is not valid.');
    return ({ createdAt }) => (side === 'from' ? createdAt >= value : createdAt <= value);
  };
}

/**
 * `GET /customers/history` and `/orders/history`, ascending by id. `sinceId` leaves its own entry out, and together with `page`
 * it is refused (RetailCRM's guide to histories, since 15 May 2023); the page count is that of what remains.
 */
export function getHistory(kind: HistoryKind): (call: Call) => SandboxAnswer {
  const one = kind === 'customers' ? 'customer' : 'order';
  const filters: Record<string, Filter<HistoryEntry>> = {
    sinceId: since(),
    startDate: moment('from'),
    endDate: moment('to'),
    [`${one}Id`]: oneOf((entry) => entry[one]?.id),
    [`${one}ExternalId`]: oneOf((entry) => entry[one]?.externalId),
  };
  return (call) => {
    const { query } = call.request;
    if (query.has('filter[sinceId]') && query.has('page')) {
      throw badInput('page', 'The page parameter cannot be used together with sinceId.');
    }
    const page = pageOf(call);
    const { items, pagination } = paged(call.world.history[kind].filter(filtersOf(call, filters, [])), page);
    return ok({ generatedAt: call.world.localNow(), history: structuredClone(items), pagination });
  };
}
