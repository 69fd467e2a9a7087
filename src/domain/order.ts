/**
 * Where an order lies in the seller's cabinet. Ordered as orders travel, so that lists read one state after another
 * meet a moving order twice rather than never.
 * Source: Kaspi's order guide, q3201.
 */
export const ORDER_STATES = ['NEW', 'SIGN_REQUIRED', 'PICKUP', 'DELIVERY', 'KASPI_DELIVERY', 'ARCHIVE'] as const;

export type OrderState = (typeof ORDER_STATES)[number];

/** What must be known to tell whether a known order has changed. Cheap to read from the wire. */
export interface OrderHead {
  /** Opaque at the source; needed to ask for this order again. */
  id: string;
  /** The number that people use. Decimal digits today, but only text to us. */
  code: string;
  state: OrderState;
  /** An open list: unknown values pass through. */
  status: string;
  createdAt: Date;
  /** Goods only, without delivery. Hundredths of a tenge. */
  totalMinor: number;
  /** Cancelled or returned, and archived: nothing more is expected. */
  final: boolean;
  /** Issued and archived. Not `final`: the buyer may still return it, normally within 14 days, and it then leaves the archive. */
  completed: boolean;
}

export interface OrderAddress {
  formattedAddress?: string | undefined;
  streetName?: string | undefined;
  streetNumber?: string | undefined;
  town?: string | undefined;
  district?: string | undefined;
  building?: string | undefined;
  apartment?: string | undefined;
}

export interface OrderDelivery {
  /** An open list: DELIVERY_LOCAL, DELIVERY_PICKUP, DELIVERY_REGIONAL_TODOOR, DELIVERY_REGIONAL_PICKUP, … */
  mode?: string | undefined;
  isKaspiDelivery: boolean;
  /** Paid by the buyer, hundredths of a tenge. */
  costMinor?: number | undefined;
  /** Charged to the seller, hundredths of a tenge. */
  costForSellerMinor?: number | undefined;
  /** Day precision; absent where the buyer collects the goods. */
  plannedAt?: Date | undefined;
  /** Absent where the buyer collects the goods. */
  address?: OrderAddress | undefined;
  /** The buyer's town; where no address is given and the delivery is local, the city that it leaves from. */
  city?: string | undefined;
  pickupPointId?: string | undefined;
}

export interface OrderCustomer {
  /** First and last name as far as they are known; may be empty. */
  name: string;
  firstName?: string | undefined;
  lastName?: string | undefined;
  /** E.164. */
  phone?: string | undefined;
  /** Why there is no phone. A masked one must never replace a real one. */
  phoneProblem?: 'masked' | 'absent' | 'unreadable' | undefined;
}

export interface OrderLine {
  entryId: string;
  /** From 0, as the source counts. */
  number: number;
  /** The seller's own article; absent where the source does not tell it. */
  sku?: string | undefined;
  name: string;
  category?: string | undefined;
  /** As the source says it; for weighed goods use `goodsOf`. */
  quantity: number;
  unit: 'piece' | 'weight';
  weightGrams: number;
  /** Of one piece or one kilogram, hundredths of a tenge. */
  basePriceMinor: number;
  /** Of the line, hundredths of a tenge. */
  totalMinor: number;
}

/** One order of the marketplace, whole. */
export interface Order extends OrderHead {
  source: 'kaspi';
  currency: 'KZT';
  approvedByBankAt?: Date | undefined;
  reservedUntil?: Date | undefined;
  courierPlannedAt?: Date | undefined;
  courierTakenAt?: Date | undefined;
  /** An open list: PAY_WITH_CREDIT, PREPAID, … */
  paymentMode?: string | undefined;
  /** Months; only for credit. */
  creditTerm?: number | undefined;
  delivery: OrderDelivery;
  assembled: boolean;
  preOrder: boolean;
  express: boolean;
  signatureRequired: boolean;
  /** Seen to stay false for parcels that had come back: true can be trusted, false cannot. */
  returnedToWarehouse: boolean;
  /** Address of the PDF; needs the seller's token. */
  waybill?: string | undefined;
  waybillNumber?: string | undefined;
  cancellationReason?: string | undefined;
  customer: OrderCustomer;
  lines: OrderLine[];
}

/** Whether more is expected of an order in this place. */
export function endOf(state: string, status: string): { final: boolean; completed: boolean } {
  const archived = state === 'ARCHIVE';
  return {
    final: archived && (status === 'CANCELLED' || status === 'RETURNED'),
    completed: archived && status === 'COMPLETED',
  };
}

/** What a mapping's `when` may ask of an order, under the names that it uses there. */
export function orderFacts(order: Order): Record<string, string | boolean | undefined> {
  return {
    state: order.state,
    status: order.status,
    assembled: order.assembled,
    deliveryMode: order.delivery.mode,
    isKaspiDelivery: order.delivery.isKaspiDelivery,
    paymentMode: order.paymentMode,
    preOrder: order.preOrder,
    express: order.express,
    returnedToWarehouse: order.returnedToWarehouse,
    signatureRequired: order.signatureRequired,
  };
}

/** One article of an order, all its lines summed. */
export interface OrderGoods {
  sku: string;
  name: string;
  /** Pieces, or kilograms with three decimals. */
  quantity: number;
  /** Of one piece or one kilogram, hundredths of a tenge. */
  priceMinor: number;
}

/** The measure that a line's price refers to: kilograms where the sums prove it, else the source's own quantity. */
export function measureOf(line: OrderLine): { quantity: number; unit: 'piece' | 'kg' } {
  const kilograms = line.weightGrams / 1000;
  const expected = line.basePriceMinor * kilograms;
  // Kaspi rounds to whole tenge, so that a few tenths of a percent either way are the same sum.
  const tolerance = Math.max(100, line.totalMinor * 0.005);
  const weighed = line.unit === 'weight' && kilograms > 0 && Math.abs(expected - line.totalMinor) <= tolerance;
  return weighed ? { quantity: kilograms, unit: 'kg' } : { quantity: line.quantity, unit: 'piece' };
}

/**
 * The articles of an order, in the order of their first lines. Lines without an article are left out, since nothing
 * names them at a target (the note lists them), and so are those of which nothing is left after a partial cancellation.
 */
export function goodsOf(order: Order): OrderGoods[] {
  const bySku = new Map<string, OrderGoods & { totalMinor: number; onePrice: boolean }>();
  for (const line of order.lines) {
    const { quantity } = measureOf(line);
    if (line.sku === undefined || quantity <= 0) continue;
    const known = bySku.get(line.sku);
    if (!known) {
      const { sku, name, basePriceMinor: priceMinor, totalMinor } = line;
      bySku.set(sku, { sku, name, quantity, priceMinor, totalMinor, onePrice: true });
      continue;
    }
    known.quantity += quantity;
    known.totalMinor += line.totalMinor;
    known.onePrice &&= known.priceMinor === line.basePriceMinor;
  }
  return [...bySku.values()].map(({ sku, name, quantity, priceMinor, totalMinor, onePrice }) => ({
    sku,
    name,
    quantity: Math.round(quantity * 1000) / 1000,
    priceMinor: onePrice ? priceMinor : Math.round(totalMinor / quantity),
  }));
}
