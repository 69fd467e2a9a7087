import type { Effect } from '../../src/domain/effect.ts';
import { dealMarker } from '../../src/domain/onec.ts';
import type { OnecStandin } from '../../src/sandbox/onec.ts';
import {
  type CreatePayload,
  KINDS,
  keys,
  onecEffect,
  type StatePayload,
} from '../../src/systems/onec/effects/payloads.ts';

export const WORK_ORDER = 'Document_ЗаказНаряд';
export const REQUEST = 'Document_ЗаявкаНаРемонт';
export const SUMMARY = 'Document_СводныйРемонтныйЗаказ';
export const CUSTOMER_ORDER = 'Document_ЗаказПокупателя';
export const CLIENTS = 'Catalog_Контрагенты';
export const STATES = 'Catalog_ВидыСостоянийЗаказНарядов';

const BORN = '2026-05-04T10:00:00';
const FROM = '2026-05-01T00:00:00';

export const recordOf = (dealId: number) => ({ kind: 'lead', key: String(dealId) });

export function clientEffect(dealId: number, more: Partial<CreatePayload> = {}, phone = '+79285550101'): Effect {
  const key = keys.client('contact', dealId);
  const payload: CreatePayload = {
    set: CLIENTS,
    body: {
      Description: 'Пробный Павел',
      Фамилия: 'Пробный',
      Имя: 'Павел',
      ФормаСобственности: 'ЧастноеЛицо',
      ВидКонтрагента: 'Покупатель',
      КонтактнаяИнформация: [{ Тип: 'Телефон', Представление: phone, НомерТелефона: phone.slice(1) }],
    },
    refs: {},
    find: { by: 'contact', phone },
    ...more,
  };
  return onecEffect(KINDS.client, key, recordOf(dealId), [], payload);
}

export function contractEffect(dealId: number): Effect {
  const clientKey = keys.client('contact', dealId);
  const payload: CreatePayload = {
    set: 'Catalog_ДоговорыВзаиморасчетов',
    body: { Description: 'Основной договор', Owner_Key: null },
    refs: { Owner_Key: clientKey },
    find: { by: 'owner', clientKey },
  };
  return onecEffect(KINDS.contract, keys.contract(clientKey), recordOf(dealId), [clientKey], payload);
}

/** The references that every document of Alfa-Auto needs. */
function common(base: OnecStandin, operation: string) {
  return {
    Date: BORN,
    Организация_Key: base.ref('Catalog_Организации', 'ОсновнаяОрганизация'),
    ПодразделениеКомпании_Key: base.ref('Catalog_ПодразделенияКомпании', 'ОсновноеПодразделение'),
    Автор_Key: base.ref('Catalog_Пользователи', 'Обмен'),
    ВалютаДокумента_Key: base.ref('Catalog_Валюты', 'руб.'),
    КурсДокумента: 1,
    ХозОперация_Key: base.ref('Catalog_ХозОперации', operation),
    ТипЦен_Key: base.ref('Catalog_ТипыЦен', 'ОсновнойТипЦенПродажи'),
  };
}

function repair(base: OnecStandin) {
  return {
    ТипЦенРабот_Key: base.ref('Catalog_ТипыЦен', 'ОсновнойТипЦенПродажи'),
    ВидРемонта_Key: base.ref('Catalog_ВидыРемонта', 'Коммерческий ремонт'),
    Цех_Key: base.ref('Catalog_Цеха', 'ОсновнойЦех'),
  };
}

export function requestEffects(base: OnecStandin, dealId: number): Effect[] {
  const clientKey = keys.client('contact', dealId);
  const payload: CreatePayload = {
    set: REQUEST,
    body: {
      ...common(base, 'ЗаявкаНаРемонт'),
      ...repair(base),
      Заказчик_Key: null,
      Состояние: 'НеУказано',
      Комментарий: dealMarker(dealId),
    },
    refs: { Заказчик_Key: clientKey },
    find: { by: 'marker', type: 'repairRequest', dealId, from: FROM },
  };
  const key = keys.request(dealId);
  return [
    onecEffect(KINDS.request, key, recordOf(dealId), [clientKey], payload),
    onecEffect(KINDS.requestPost, keys.requestPost(dealId), recordOf(dealId), [key], {
      set: REQUEST,
      documentKey: key,
    }),
  ];
}

export function summaryEffect(base: OnecStandin, dealId: number): Effect {
  const { ТипЦен_Key: _, ...body } = common(base, 'СводныйРемонтныйЗаказ');
  const refs = { ДокументОснование: keys.request(dealId), Заказчик_Key: keys.client('contact', dealId) };
  const payload: CreatePayload = {
    set: SUMMARY,
    body: {
      ...body,
      ДокументОснование: null,
      ДокументОснование_Type: `StandardODATA.${REQUEST}`,
      Комментарий: dealMarker(dealId),
    },
    refs,
    find: { by: 'marker', type: 'repairSummary', dealId, from: FROM },
  };
  const needs = [...Object.values(refs), keys.requestPost(dealId)];
  return onecEffect(KINDS.summary, keys.summary(dealId), recordOf(dealId), needs, payload);
}

/** A work order with one line of goods, in its first state. */
export function workOrderEffect(
  base: OnecStandin,
  dealId: number,
  more: { item?: string; extra?: object } = {},
): Effect {
  const clientKey = keys.client('contact', dealId);
  const item = base.ref('Catalog_Номенклатура', 'Ступица с подшипником');
  const refs = {
    Контрагент_Key: clientKey,
    ДоговорВзаиморасчетов_Key: keys.contract(clientKey),
    СводныйРемонтныйЗаказ_Key: keys.summary(dealId),
    ...(more.item === undefined ? {} : { 'Товары.0.Номенклатура_Key': more.item }),
  };
  const row = {
    Номенклатура_Key: more.item === undefined ? item : null,
    Количество: 2,
    ЕдиницаИзмерения_Key: base.ref('Catalog_ЕдиницыИзмерения', 'шт'),
    Коэффициент: 1,
    Цена: 5800,
    Сумма: 11_600,
    СуммаВсего: 11_600,
  };
  const payload = {
    set: WORK_ORDER,
    body: {
      ...common(base, 'ЗаказНаряд'),
      ...repair(base),
      Состояние_Key: base.ref(STATES, 'Заявка'),
      СпособЗачетаАвансов: 'Автоматически',
      Комментарий: `Позвонить ${dealMarker(dealId)}`,
      Товары: [row],
      ...more.extra,
    },
    refs,
    find: { by: 'marker', type: 'workOrder', dealId, from: FROM },
    state: { type: 'workOrder', state: 'В работе' },
    dealId,
    deal: { price: 11_600 },
    goods: { DB83034: 2 },
  };
  return onecEffect(KINDS.workOrder, keys.document(dealId), recordOf(dealId), Object.values(refs), payload);
}

export function idEffect(dealId: number, more: { current?: number; object?: string; amoId?: number } = {}): Effect {
  const { object, amoId = dealId, current } = more;
  const key = keys.document(dealId);
  const payload = {
    property: 'lead',
    set: WORK_ORDER,
    ...(object === undefined ? { objectKey: key } : { object }),
    amoId,
    ...(current === undefined ? {} : { current }),
  };
  return onecEffect(KINDS.id, keys.id(key), recordOf(dealId), object === undefined ? [key] : [], payload);
}

export function stateEffect(base: OnecStandin, dealId: number, name: string, more: Partial<StatePayload> = {}): Effect {
  const documentKey = keys.document(dealId);
  const payload = {
    documentKey,
    type: 'workOrder',
    to: { name, ref: base.ref(STATES, name) },
    ours: ['Заявка'],
    ...more,
  };
  return onecEffect(KINDS.state, `${documentKey}:first`, recordOf(dealId), [documentKey], payload);
}

/** A change of state as the planner asks for it: the `revision`-th of the document's link. */
export function stateChange(
  base: OnecStandin,
  dealId: number,
  revision: number,
  name: string,
  more: Partial<StatePayload> = {},
): Effect {
  const link = keys.document(dealId);
  const planned = { type: more.type ?? 'workOrder', state: name };
  return {
    ...stateEffect(base, dealId, name, more),
    key: `${link}#${revision}`,
    revises: { link, revision, planned },
  };
}

export function markEffect(dealId: number, notBefore: string, both = true): Effect {
  const key = keys.document(dealId);
  const payload = {
    set: WORK_ORDER,
    objectKey: key,
    exportedAt: true,
    ...(both ? { updatedAt: true } : {}),
    notBefore,
  };
  return onecEffect(KINDS.mark, keys.mark(key), recordOf(dealId), [key], payload);
}

/** Everything that a new deal asks of 1C. */
export function chain(base: OnecStandin, dealId: number): Effect[] {
  return [
    clientEffect(dealId),
    contractEffect(dealId),
    ...requestEffects(base, dealId),
    summaryEffect(base, dealId),
    workOrderEffect(base, dealId),
    idEffect(dealId),
    stateEffect(base, dealId, 'В работе', { first: true }),
    markEffect(dealId, BORN),
  ];
}
