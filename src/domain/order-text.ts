import { formatMinor, numberFromMinor } from './money.ts';
import { measureOf, type Order, type OrderLine } from './order.ts';

/** The languages of texts that managers see. */
export type OrderTextLocale = 'ru' | 'en';

export interface OrderTextOptions {
  locale: OrderTextLocale;
  /** IANA name; dates are written in this zone. */
  zone: string;
}

const WORDS = {
  ru: {
    yes: 'да',
    no: 'нет',
    order: 'Заказ Kaspi',
    total: 'Итого',
    payment: 'Оплата',
    delivery: 'Доставка',
    planned: 'Плановая дата',
    address: 'Адрес',
    months: 'мес.',
    kaspi: 'Kaspi',
    more: 'и ещё',
    kilograms: 'кг',
    noName: 'без названия',
  },
  en: {
    yes: 'yes',
    no: 'no',
    order: 'Kaspi order',
    total: 'Total',
    payment: 'Payment',
    delivery: 'Delivery',
    planned: 'Planned for',
    address: 'Address',
    months: 'months',
    kaspi: 'Kaspi',
    more: 'and',
    kilograms: 'kg',
    noName: 'no name',
  },
} as const;

/** Modes that the guide describes; another one is shown as it came. */
const PAYMENTS: Record<OrderTextLocale, Record<string, string>> = {
  ru: { PAY_WITH_CREDIT: 'кредит или рассрочка', PREPAID: 'предоплата' },
  en: { PAY_WITH_CREDIT: 'credit or instalments', PREPAID: 'prepaid' },
};

const DELIVERIES: Record<OrderTextLocale, Record<string, string>> = {
  ru: {
    DELIVERY_LOCAL: 'по городу',
    DELIVERY_PICKUP: 'самовывоз',
    DELIVERY_REGIONAL_TODOOR: 'в другой город до двери',
    DELIVERY_REGIONAL_PICKUP: 'в другой город до пункта выдачи',
  },
  en: {
    DELIVERY_LOCAL: 'in the city',
    DELIVERY_PICKUP: 'pickup',
    DELIVERY_REGIONAL_TODOOR: 'another city, to the door',
    DELIVERY_REGIONAL_PICKUP: 'another city, to a pickup point',
  },
};

/** amoCRM does not document how long a note may be; 120 lines of ordinary goods fit into this cautious bound. */
const NOTE_LIMIT = 20_000;
const NAME_LIMIT = 250;

/**
 * The values that a mapping's templates may use, by name; what the order does not have is ''.
 * Amounts are plain tenge (`15980`, `15980.5`), fit for numeric fields; dates read `dd.mm.yyyy HH:MM` in the zone;
 * statuses and modes are the source's own words; flags are yes or no in the locale.
 */
export function orderValues(order: Order, { locale, zone }: OrderTextOptions): Record<string, string> {
  const { delivery, customer } = order;
  const flag = (value: boolean) => (value ? WORDS[locale].yes : WORDS[locale].no);
  return {
    code: order.code,
    id: order.id,
    state: order.state,
    status: order.status,
    totalPrice: plain(order.totalMinor),
    creationDate: dateText(order.createdAt, zone),
    approvedByBankDate: dateText(order.approvedByBankAt, zone),
    plannedDeliveryDate: dateText(delivery.plannedAt, zone),
    paymentMode: order.paymentMode ?? '',
    creditTerm: order.creditTerm === undefined ? '' : String(order.creditTerm),
    deliveryMode: delivery.mode ?? '',
    deliveryCost: plain(delivery.costMinor),
    deliveryCostForSeller: plain(delivery.costForSellerMinor),
    isKaspiDelivery: flag(delivery.isKaspiDelivery),
    preOrder: flag(order.preOrder),
    pickupPointId: delivery.pickupPointId ?? '',
    cancellationReason: order.cancellationReason ?? '',
    assembled: flag(order.assembled),
    express: flag(order.express),
    waybill: order.waybill ?? '',
    waybillNumber: order.waybillNumber ?? '',
    'customer.name': customer.name,
    'customer.firstName': customer.firstName ?? '',
    'customer.lastName': customer.lastName ?? '',
    'customer.phone': customer.phone ?? '',
    ...addressValues(order),
    city: delivery.city ?? '',
    items: order.lines.map((line) => `${nameOf(line, locale)} × ${measureText(line, locale)}`).join('; '),
    'items.length': String(order.lines.length),
  };
}

const ADDRESS_PARTS = [
  'formattedAddress',
  'streetName',
  'streetNumber',
  'town',
  'district',
  'building',
  'apartment',
] as const;

function addressValues(order: Order): Record<string, string> {
  const { address } = order.delivery;
  return Object.fromEntries(ADDRESS_PARTS.map((part) => [`deliveryAddress.${part}`, address?.[part] ?? '']));
}

/**
 * The order as a note for the deal: its goods line by line, then total, payment, delivery and address. At most 20,000
 * characters: where the goods are more, the last line of them says how many are left out.
 */
export function goodsNote(order: Order, { locale, zone }: OrderTextOptions): string {
  const head = `${WORDS[locale].order} ${order.code}`;
  const tail = summaryOf(order, { locale, zone });
  const room = NOTE_LIMIT - head.length - tail.join('\n').length - 50;
  return [head, ...fitting(order.lines, room, locale), '', ...tail].join('\n');
}

/** As many lines as fit into the room, and how many do not. */
function fitting(lines: readonly OrderLine[], room: number, locale: OrderTextLocale): string[] {
  const texts: string[] = [];
  let left = room;
  for (const [index, line] of lines.entries()) {
    const text = lineText(line, index + 1, locale);
    left -= text.length + 1;
    if (left < 0) return [...texts, moreText(lines.length - index, locale)];
    texts.push(text);
  }
  return texts;
}

function moreText(count: number, locale: OrderTextLocale): string {
  return locale === 'ru' ? `… ${WORDS.ru.more} ${count}` : `… ${WORDS.en.more} ${count} more`;
}

function lineText(line: OrderLine, number: number, locale: OrderTextLocale): string {
  const goods = [nameOf(line, locale), line.sku].filter((part) => part !== undefined).join(', ');
  return `${number}. ${goods}: ${measureText(line, locale)} × ${formatMinor(line.basePriceMinor, locale)} = ${tenge(line.totalMinor, locale)}`;
}

function nameOf(line: OrderLine, locale: OrderTextLocale): string {
  const name = line.name === '' ? WORDS[locale].noName : line.name;
  return name.length > NAME_LIMIT ? `${name.slice(0, NAME_LIMIT)}…` : name;
}

function measureText(line: OrderLine, locale: OrderTextLocale): string {
  const { quantity, unit } = measureOf(line);
  return unit === 'kg' ? `${quantity} ${WORDS[locale].kilograms}` : String(quantity);
}

function summaryOf(order: Order, { locale, zone }: OrderTextOptions): string[] {
  const words = WORDS[locale];
  const { plannedAt, address } = order.delivery;
  return [
    `${words.total}: ${tenge(order.totalMinor, locale)}`,
    labelled(words.payment, paymentText(order, locale)),
    labelled(words.delivery, deliveryText(order, locale)),
    labelled(words.planned, dateText(plannedAt, zone)),
    labelled(words.address, address?.formattedAddress ?? ''),
  ].filter((line) => line !== '');
}

function labelled(label: string, text: string): string {
  return text === '' ? '' : `${label}: ${text}`;
}

function paymentText(order: Order, locale: OrderTextLocale): string {
  const mode = order.paymentMode ?? '';
  const term = order.creditTerm === undefined ? '' : `${order.creditTerm} ${WORDS[locale].months}`;
  return [PAYMENTS[locale][mode] ?? mode, term].filter((part) => part !== '').join(', ');
}

function deliveryText(order: Order, locale: OrderTextLocale): string {
  const { mode = '', isKaspiDelivery, costMinor = 0, city = '', pickupPointId = '' } = order.delivery;
  return [
    DELIVERIES[locale][mode] ?? mode,
    isKaspiDelivery ? WORDS[locale].kaspi : '',
    city,
    pickupPointId,
    costMinor > 0 ? tenge(costMinor, locale) : '',
  ]
    .filter((part) => part !== '')
    .join(', ');
}

function plain(amountMinor: number | undefined): string {
  return amountMinor === undefined ? '' : String(numberFromMinor(amountMinor));
}

function tenge(amountMinor: number, locale: OrderTextLocale): string {
  return `${formatMinor(amountMinor, locale)} ₸`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making a format costs a thousand times what using it does. */
function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    const two = '2-digit';
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      year: 'numeric',
      month: two,
      day: two,
      hour: two,
      minute: two,
      hourCycle: 'h23',
    });
    formats.set(zone, format);
  }
  return format;
}

function dateText(date: Date | undefined, zone: string): string {
  if (date === undefined) return '';
  const parts = new Map(
    formatOf(zone)
      .formatToParts(date)
      .map(({ type, value }) => [type, value]),
  );
  return `${parts.get('day')}.${parts.get('month')}.${parts.get('year')} ${parts.get('hour')}:${parts.get('minute')}`;
}
