/** Orders as Kaspi sends them; shapes from the official samples (fact sheet, section 2.5), data invented. */

export type Wire = Record<string, unknown>;

export const base64Id = (text: string) => Buffer.from(text).toString('base64').replace(/=+$/, '');

export function wireEntry(code: string, number: number, attributes: Wire = {}): Wire {
  return {
    type: 'orderentries',
    id: base64Id(`${code}##${number}`),
    attributes: {
      entryNumber: number,
      quantity: 2,
      basePrice: 7990.0,
      totalPrice: 15980.0,
      deliveryCost: 0.0,
      weight: 0.0,
      unitType: 'PIECES',
      category: { code: 'Master - Kettles', title: 'Электрочайники' },
      offer: { code: 'KETTLE-17-W', name: 'Чайник Polar K17 белый', isImeiRequired: false },
      ...attributes,
    },
  };
}

export function wireOrder(code: string, attributes: Wire = {}, entries: readonly Wire[] = []): Wire {
  return {
    type: 'orders',
    id: base64Id(code),
    attributes: {
      code,
      totalPrice: 15980.0,
      paymentMode: 'PAY_WITH_CREDIT',
      creditTerm: 6,
      creationDate: 1789362221000,
      approvedByBankDate: 1789362242000,
      plannedDeliveryDate: 1789671599000,
      deliveryCostForSeller: 995.0,
      deliveryCost: 0.0,
      isKaspiDelivery: true,
      deliveryMode: 'DELIVERY_PICKUP',
      signatureRequired: false,
      preOrder: false,
      pickupPointId: '30012345_PP1',
      state: 'KASPI_DELIVERY',
      status: 'ACCEPTED_BY_MERCHANT',
      assembled: false,
      customer: {
        id: 'NzAxMTIzNDU2Nw',
        name: 'Айгерим',
        cellPhone: '7011234567',
        firstName: 'Айгерим',
        lastName: 'Сатова',
      },
      originAddress: {
        id: 'MzAwMTIzNDVfUFAx',
        displayName: 'PP1',
        address: { streetName: ' улица Абая', streetNumber: ' 10', town: 'г. Алматы', district: null },
        city: { id: 'NzUwMDAwMDAw', code: '750000000', name: 'Алматы', active: true },
      },
      kaspiDelivery: {
        waybill: null,
        waybillNumber: null,
        courierTransmissionDate: null,
        courierTransmissionPlanningDate: 1789390800000,
        express: false,
        returnedToWarehouse: false,
        firstMileCourier: null,
      },
      ...attributes,
    },
    relationships: { entries: { data: entries.map(({ type, id }) => ({ type, id })) } },
  };
}
