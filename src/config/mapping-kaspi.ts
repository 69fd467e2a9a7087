import type { Template } from '../base/template.ts';
import {
  boolean,
  byId,
  list,
  map,
  mapped,
  oneOf,
  oneOrMore,
  optional,
  positive,
  type Reader,
  remoteWord,
  required,
  template,
  withDefault,
} from './shape.ts';

/** What `{name}` may stand for in templates over a Kaspi order; whoever renders one gives a value for each. */
export const ORDER_TEMPLATE_NAMES = [
  'code',
  'id',
  'state',
  'status',
  'totalPrice',
  'creationDate',
  'approvedByBankDate',
  'plannedDeliveryDate',
  'paymentMode',
  'creditTerm',
  'deliveryMode',
  'deliveryCost',
  'deliveryCostForSeller',
  'isKaspiDelivery',
  'preOrder',
  'pickupPointId',
  'cancellationReason',
  'assembled',
  'express',
  'waybill',
  'waybillNumber',
  'customer.name',
  'customer.firstName',
  'customer.lastName',
  'customer.phone',
  'deliveryAddress.formattedAddress',
  'deliveryAddress.streetName',
  'deliveryAddress.streetNumber',
  'deliveryAddress.town',
  'deliveryAddress.district',
  'deliveryAddress.building',
  'deliveryAddress.apartment',
  'city',
  'items',
  'items.length',
] as const;

/** What a new deal is made of. */
export interface KaspiDealMapping {
  readonly name: Template;
  /** A tag that renders to nothing is left out. */
  readonly tags: readonly Template[];
  readonly fields: readonly { readonly fieldId: number; readonly template: Template }[];
  /** The text field of deals that holds the order code alone; where it is absent the name holds the code. */
  readonly externalIdField: number | undefined;
  /** Whether the goods are written into a note. */
  readonly note: boolean;
}

/** The order's facts that a stage row may ask for. */
export interface OrderConditions {
  readonly status: readonly string[] | undefined;
  readonly state: readonly string[] | undefined;
  readonly deliveryMode: readonly string[] | undefined;
  readonly paymentMode: readonly string[] | undefined;
  readonly assembled: readonly boolean[] | undefined;
  readonly isKaspiDelivery: readonly boolean[] | undefined;
  readonly preOrder: readonly boolean[] | undefined;
  readonly express: readonly boolean[] | undefined;
  readonly returnedToWarehouse: readonly boolean[] | undefined;
  readonly signatureRequired: readonly boolean[] | undefined;
}

/** First row wins whose conditions all hold: the order's fact is among the values; no condition always holds. */
export interface KaspiStageRow {
  readonly when: OrderConditions;
  readonly status: number;
  /** Absent: AMO_PIPELINE_ID. */
  readonly pipeline: number | undefined;
  readonly lossReason: number | undefined;
  /** Whether the row may take a deal out of 142 or 143. */
  readonly afterFinal: boolean;
}

/** A deal that enters this stage asks Kaspi for this action. */
export interface KaspiPushRow {
  readonly pipeline: number;
  readonly status: number;
  readonly action: 'accept' | 'assemble' | 'complete' | 'cancel';
  /** Parcels, for `assemble`. */
  readonly spaces: number | undefined;
  /** For `cancel`. */
  readonly reason: string | undefined;
  readonly onlyByPerson: boolean;
  readonly maxPerPass: number | undefined;
}

export interface KaspiMapping {
  readonly deal: KaspiDealMapping;
  readonly stages: readonly KaspiStageRow[];
  readonly neverBack: boolean;
  readonly push: readonly KaspiPushRow[];
}

const orderTemplate = template(ORDER_TEMPLATE_NAMES);

/** amoCRM's "lost" stage has this id in every pipeline, and only it takes a loss reason (amoCRM API v2 documents, leads). */
const LOST = 143;

const dealFields = map<{
  name: Template;
  tags: readonly Template[];
  fields: readonly { id: number; value: Template }[];
  external_id_field: number | undefined;
  note: boolean;
}>(
  {
    name: withDefault('Kaspi #{code}', orderTemplate),
    tags: withDefault(['Kaspi', '{state}'], list(orderTemplate)),
    fields: withDefault({}, byId(orderTemplate)),
    external_id_field: optional(positive),
    note: withDefault(true, boolean),
  },
  ({ values, given, fail }) => {
    if (!given('external_id_field') && values.name !== undefined && !values.name.names.includes('code')) {
      fail('name', 'must hold {code} where external_id_field is absent: a deal could not be found again');
    }
    const inField = values.fields?.find(({ id }) => id === values.external_id_field);
    if (inField !== undefined && inField.value.text.trim() !== '{code}') {
      fail('external_id_field', `must hold the order code alone, but fields give ${inField.id} another text`);
    }
  },
);

const deal: Reader<KaspiDealMapping> = mapped(dealFields, (read) => ({
  name: read.name,
  tags: read.tags,
  fields: read.fields.map(({ id, value }) => ({ fieldId: id, template: value })),
  externalIdField: read.external_id_field,
  note: read.note,
}));

// The words of Kaspi's guide for sellers (states and statuses), and those met in shops' data; seen 2025-12 to 2026-09.
const conditions = map<OrderConditions>({
  status: optional(
    oneOrMore(
      remoteWord(
        'APPROVED_BY_BANK',
        'ACCEPTED_BY_MERCHANT',
        'COMPLETED',
        'CANCELLING',
        'CANCELLED',
        'KASPI_DELIVERY_RETURN_REQUESTED',
        'RETURN_ACCEPTED_BY_MERCHANT',
        'RETURNED',
        'ARRIVED',
      ),
    ),
  ),
  state: optional(oneOrMore(oneOf('NEW', 'SIGN_REQUIRED', 'PICKUP', 'DELIVERY', 'KASPI_DELIVERY', 'ARCHIVE'))),
  deliveryMode: optional(
    oneOrMore(remoteWord('DELIVERY_LOCAL', 'DELIVERY_PICKUP', 'DELIVERY_REGIONAL_TODOOR', 'DELIVERY_REGIONAL_PICKUP')),
  ),
  paymentMode: optional(oneOrMore(remoteWord('PAY_WITH_CREDIT', 'PREPAID'))),
  assembled: optional(oneOrMore(boolean)),
  isKaspiDelivery: optional(oneOrMore(boolean)),
  preOrder: optional(oneOrMore(boolean)),
  express: optional(oneOrMore(boolean)),
  returnedToWarehouse: optional(oneOrMore(boolean)),
  signatureRequired: optional(oneOrMore(boolean)),
});

const stageRow: Reader<KaspiStageRow> = mapped(
  map<{
    when: OrderConditions;
    status: number;
    pipeline: number | undefined;
    loss_reason: number | undefined;
    after_final: boolean;
  }>(
    {
      when: required(conditions),
      status: required(positive),
      pipeline: optional(positive),
      loss_reason: optional(positive),
      after_final: withDefault(false, boolean),
    },
    ({ values, given, fail }) => {
      if (given('loss_reason') && values.status !== undefined && values.status !== LOST) {
        fail('loss_reason', `only the stage ${LOST} (lost) takes a loss reason`);
      }
    },
  ),
  (read) => ({
    when: read.when,
    status: read.status,
    pipeline: read.pipeline,
    lossReason: read.loss_reason,
    afterFinal: read.after_final,
  }),
);

const pushRow: Reader<KaspiPushRow> = mapped(
  map<{
    pipeline: number;
    status: number;
    action: KaspiPushRow['action'];
    spaces: number | undefined;
    reason: string | undefined;
    only_by_person: boolean;
    max_per_pass: number | undefined;
  }>(
    {
      pipeline: required(positive),
      status: required(positive),
      action: required(oneOf('accept', 'assemble', 'complete', 'cancel')),
      spaces: optional(positive),
      // What Kaspi's guide lets a seller send (orders, change of status; 2025-12).
      reason: optional(oneOf('MERCHANT_OUT_OF_STOCK', 'BUYER_CANCELLATION_BY_MERCHANT', 'BUYER_NOT_REACHABLE')),
      only_by_person: withDefault(false, boolean),
      max_per_pass: optional(positive),
    },
    ({ values, given, fail }) => {
      if (values.action === 'cancel' && !given('reason')) {
        fail('reason', 'missing; Kaspi cancels no order without one');
      }
      if (values.action !== undefined && values.action !== 'cancel' && given('reason')) {
        fail('reason', 'belongs to the action cancel');
      }
      if (values.action !== undefined && values.action !== 'assemble' && given('spaces')) {
        fail('spaces', 'belongs to the action assemble');
      }
    },
  ),
  (read) => ({
    pipeline: read.pipeline,
    status: read.status,
    action: read.action,
    spaces: read.spaces,
    reason: read.reason,
    onlyByPerson: read.only_by_person,
    maxPerPass: read.max_per_pass,
  }),
);

/** The `kaspi` part of the mapping. */
export const readKaspiMapping: Reader<KaspiMapping> = mapped(
  map<{
    deal: KaspiDealMapping;
    stages: readonly KaspiStageRow[];
    never_back: boolean;
    push: readonly KaspiPushRow[];
  }>({
    deal: withDefault({}, deal),
    stages: withDefault([], list(stageRow)),
    never_back: withDefault(true, boolean),
    push: withDefault([], list(pushRow)),
  }),
  (read) => ({ deal: read.deal, stages: read.stages, neverBack: read.never_back, push: read.push }),
);
