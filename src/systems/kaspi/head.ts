import { minorFromNumber } from '../../domain/money.ts';
import { endOf, ORDER_STATES, type OrderHead, type OrderState } from '../../domain/order.ts';
import { RecordFault } from '../../domain/record-fault.ts';
import { Fields, type Misfit } from './schema.ts';

/**
 * What tells whether a known order has changed; loads nothing heavy, for an idle pass reads every order of its window.
 * Throws `RecordFault` on a record without id, code, known state, status, creation date or total.
 */
export function headOf(wire: unknown): OrderHead {
  return headFrom(orderFields(wire));
}

/** The resource and its attributes. */
export interface OrderFields {
  resource: Fields;
  attributes: Fields;
}

export function orderFields(wire: unknown): OrderFields {
  const resource = new Fields(wire, '', orderMisfit);
  return { resource, attributes: resource.object('attributes') };
}

export function headFrom({ resource, attributes }: OrderFields): OrderHead {
  const state = stateFrom(attributes);
  const status = attributes.text('status');
  return {
    id: resource.text('id'),
    code: attributes.text('code'),
    state,
    status,
    createdAt: attributes.instant('creationDate'),
    totalMinor: minor(attributes, 'totalPrice'),
    ...endOf(state, status),
  };
}

/** The place in the cabinet decides what a deal becomes, so that an unknown one is a fault and not a guess. */
function stateFrom(attributes: Fields): OrderState {
  const text = attributes.text('state');
  const state = ORDER_STATES.find((known) => known === text);
  if (state === undefined) {
    const shown = /^\w{1,40}$/.test(text) ? ` "${text}"` : '';
    throw attributes.misfit('state', `unknown order state${shown}`);
  }
  return state;
}

/** Hundredths of a tenge. Kaspi sends tenge as JSON numbers, whole in every sample. */
export function minor(fields: Fields, name: string): number {
  const amount = minorFromNumber(fields.number(name));
  if (amount === undefined || amount < 0) throw fields.misfit(name, 'expected an amount of money');
  return amount;
}

/** An amount that may be missing, but must be one where it is there. */
export function optionalMinor(fields: Fields, name: string): number | undefined {
  return fields.has(name) ? minor(fields, name) : undefined;
}

export const orderMisfit: Misfit = (path, expected) =>
  new RecordFault(
    `the Kaspi order cannot be read: ${path}: ${expected}`,
    'It is tried again by itself. If it lasts, Kaspi has changed its answers, and sdelka must be brought up to date.',
  );
