import { EMPTY_DATE, EMPTY_REF, type Entity, type EntityType, handlerRefusal, rowsOf, textOf } from './model.ts';
import { blankEntity, blankRow, propertyOf, putInformation, sumOf, type World } from './world.ts';

/** How an object is written. `load`: 1C's load mode, in which handlers stand aside. */
export type WriteMode = 'write' | 'post' | 'unpost' | 'load';

const COMMON = 'Организация_Key ПодразделениеКомпании_Key Автор_Key ХозОперация_Key ВалютаДокумента_Key КурсДокумента';
const REPAIR = 'ТипЦен_Key ТипЦенРабот_Key ВидРемонта_Key Цех_Key';

/** Fields that the fill check demands (seen in Alfa-Auto 6.1). */
const MANDATORY: Readonly<Record<string, string>> = {
  Document_ЗаявкаНаРемонт: `${COMMON} ${REPAIR}`,
  Document_ЗаказНаряд: `${COMMON} ${REPAIR} Состояние_Key СводныйРемонтныйЗаказ_Key Контрагент_Key ДоговорВзаиморасчетов_Key СпособЗачетаАвансов`,
  Document_ЗаказПокупателя: `${COMMON} Контрагент_Key ДоговорВзаиморасчетов_Key ТипЦен_Key СрокПоставки СкладКомпании_Key`,
  Catalog_Номенклатура: 'Description ТипНоменклатуры_Key ВидНоменклатуры СтавкаНДС_Key БазоваяЕдиницаИзмерения_Key',
  Catalog_Автоработы: 'Description ВидИспользования Номенклатура_Key Тип_Key СпособРасчетаСтоимостиРаботы',
  Catalog_Производители: 'Description',
  Catalog_ДоговорыВзаиморасчетов: 'Description Owner_Key',
};

const MANDATORY_ROWS: Readonly<Record<string, string>> = {
  Товары: 'Номенклатура_Key Количество ЕдиницаИзмерения_Key Коэффициент',
  Автоработы: 'Авторабота_Key Количество',
};

const STATES = 'Catalog_ВидыСостоянийЗаказНарядов';

function isEmpty(value: unknown): boolean {
  return value === undefined || value === '' || value === 0 || value === EMPTY_REF || value === EMPTY_DATE;
}

function demand(entity: Entity, fields: string): void {
  for (const field of fields.split(' ').filter(Boolean)) {
    if (isEmpty(entity[field])) throw handlerRefusal(`Поле "${field.replace(/_Key$/, '')}" не заполнено`);
  }
}

function fillCheck(type: EntityType, entity: Entity): void {
  demand(entity, MANDATORY[type.set] ?? '');
  for (const [table, fields] of Object.entries(MANDATORY_ROWS)) {
    for (const row of rowsOf(entity, table)) {
      for (const field of fields.split(' ')) {
        if (!isEmpty(row[field])) continue;
        const name = field.replace(/_Key$/, '');
        throw handlerRefusal(`Не заполнена колонка "${name}" в строке ${row.LineNumber} списка "${table}"`);
      }
    }
  }
  if (type.set === 'Document_ЗаказПокупателя' && rowsOf(entity, 'Товары').length === 0) {
    throw handlerRefusal('Не введено ни одной строки в список "Товары"');
  }
}

function stateName(world: World, ref: string): string {
  const state = world.get(STATES, ref);
  return textOf(state, 'PredefinedDataName') || textOf(state, 'Description');
}

function journal(world: World, type: EntityType, entity: Entity, period: string, state: string): void {
  world.put('InformationRegister_ЖурналСостояний', {
    Period: period,
    Объект: textOf(entity, 'Ref_Key'),
    Объект_Type: `StandardODATA.${type.set}`,
    Состояние: state,
    Состояние_Type: `StandardODATA.${STATES}`,
    Автор_Key: textOf(entity, 'Автор_Key'),
    Компьютер: '',
    ПротоколУстановки: '',
  });
}

function demandExecutors(entity: Entity): void {
  for (const work of rowsOf(entity, 'Автоработы')) {
    const share = rowsOf(entity, 'Исполнители')
      .filter((row) => row.ИдентификаторРаботы === work.ИдентификаторРаботы && !isEmpty(row.Исполнитель_Key))
      .reduce((sum, row) => sum + Number(row.Процент), 0);
    if (share !== 100) throw handlerRefusal(`Для работы в строке ${work.LineNumber} не назначены исполнители`);
  }
}

/** A work order's own rules: its state decides whether it is posted (seen in Alfa-Auto 6.1). */
function workOrder(
  world: World,
  type: EntityType,
  before: Entity | undefined,
  after: Entity,
  mode: WriteMode,
): WriteMode {
  const request = world.ref(STATES, 'Заявка');
  if (mode === 'unpost') after.Состояние_Key = request;
  const [old, now] = [textOf(before, 'Состояние_Key'), textOf(after, 'Состояние_Key')];
  const [oldName, name] = [stateName(world, old), stateName(world, now)];
  if (name === 'Закрыт' && oldName !== 'Закрыт' && oldName !== 'Выполнен') {
    throw handlerRefusal('Состояние "Закрыт" может быть установлено только после состояния "Выполнен"');
  }
  if ((name === 'Выполнен' || name === 'Закрыт') && world.options.executorsDemanded) demandExecutors(after);
  if (isEmpty(now) || after.DeletionMark === true) return mode;
  if (now !== request && isEmpty(after.ДатаНачала)) after.ДатаНачала = world.localNow();
  if (name === 'Закрыт' && oldName !== 'Закрыт') after.ДатаЗакрытия = world.localNow();
  if (old !== now) journal(world, type, after, world.localNow(), now);
  return now === request ? 'unpost' : 'post';
}

/** A customer order has no field of its state: posting computes it and keeps it in the journal, dated as the document. */
function customerOrder(world: World, type: EntityType, after: Entity, posting: boolean): void {
  const period = textOf(after, 'Date');
  const fresh = world.ref(STATES, 'Новый');
  const key = `${period}|${textOf(after, 'Ref_Key')}|StandardODATA.${type.set}`;
  const current = textOf(world.get('InformationRegister_ЖурналСостояний', key), 'Состояние');
  const computed = posting ? world.ref(STATES, 'НеРазмещен') : fresh;
  if (posting ? current === '' || current === fresh : true) journal(world, type, after, period, computed);
}

function totals(type: EntityType, entity: Entity): void {
  if (!type.columns.has('СуммаДокумента')) return;
  const [goods, works] = [sumOf(entity, 'Товары', 'СуммаВсего'), sumOf(entity, 'Автоработы', 'СуммаВсего')];
  entity.СуммаДокумента = Math.round((goods + works) * 100) / 100;
  if (type.columns.has('СуммаРаботДокумента')) {
    entity.СуммаНоменклатурыДокумента = goods;
    entity.СуммаРаботДокумента = works;
  }
}

/** Numbers restart each year but for work orders; only customer orders have a prefix here. */
function numberOf(world: World, { set }: EntityType, date: string): string {
  const prefix = set === 'Document_ЗаказПокупателя' ? 'ТК' : '';
  const series = set === 'Document_ЗаказНаряд' ? set : `${set} ${date.slice(0, 4)}`;
  return prefix + String(world.nextNumber(series)).padStart(11 - prefix.length, '0');
}

/** Tells the counters of a number that came from outside. */
export function noteNumber(world: World, { set }: EntityType, entity: Entity): void {
  const year = textOf(entity, 'Date').slice(0, 4);
  const series = set.startsWith('Document_') && set !== 'Document_ЗаказНаряд' ? `${set} ${year}` : set;
  const digits = /\d+$/.exec(textOf(entity, 'Number') || textOf(entity, 'Code'))?.[0];
  if (digits !== undefined) world.raiseNumber(series, Number(digits));
}

/** Once every check has passed, so that a refused write leaves no gap. */
function giveNumber(world: World, type: EntityType, before: Entity | undefined, after: Entity): void {
  if (isEmpty(after.Number)) after.Number = numberOf(world, type, textOf(after, 'Date'));
  else if (!before) noteNumber(world, type, after);
}

function giveCode(world: World, type: EntityType, before: Entity | undefined, after: Entity): void {
  const length = type.columns.get('Code')?.length ?? 0;
  if (isEmpty(after.Code) && length > 0) {
    const prefix = CODE_PREFIX[type.set] ?? '';
    after.Code = prefix + String(world.nextNumber(type.set)).padStart(length - prefix.length, '0');
  } else if (!before) noteNumber(world, type, after);
}

function checkBan(world: World, before: Entity | undefined, after: Entity): void {
  const { banDate } = world.options;
  if (banDate === '') return;
  const dates = [textOf(before, 'Date'), textOf(after, 'Date')].filter((date) => date !== '');
  if (dates.every((date) => date >= banDate)) return;
  throw handlerRefusal(`Запись документа невозможна: дата запрета изменения ${banDate.slice(0, 10)}`);
}

function documentRules(
  world: World,
  type: EntityType,
  before: Entity | undefined,
  after: Entity,
  given: WriteMode,
): void {
  if (isEmpty(after.Date)) throw handlerRefusal('Поле "Дата" не заполнено');
  checkBan(world, before, after);
  if (isEmpty(after.ДатаСоздания)) after.ДатаСоздания = world.localNow();
  if (type.set === 'Document_СводныйРемонтныйЗаказ') {
    if (given === 'post') throw handlerRefusal('Документ "Сводный ремонтный заказ" не может быть проведен');
    after.Posted = false;
    after.ДатаОперации = world.localNow();
    giveNumber(world, type, before, after);
    return;
  }
  if (after.DeletionMark === true && given === 'post')
    throw handlerRefusal('Помеченный на удаление документ не может быть проведен');
  if (after.DeletionMark === true && before?.Posted === true && given === 'write') {
    throw handlerRefusal('Проведенный документ не может быть помечен на удаление');
  }
  if (after.DeletionMark !== true) fillCheck(type, after);
  const isWorkOrder = type.set === 'Document_ЗаказНаряд';
  const mode = isWorkOrder ? workOrder(world, type, before, after, given) : given;
  giveNumber(world, type, before, after);
  totals(type, after);
  if (mode === 'post') {
    after.Posted = true;
    after.ДатаОперации = world.localNow();
  } else if (mode === 'unpost' || after.Posted !== true) {
    after.Posted = false;
    after.ДатаОперации = EMPTY_DATE;
  }
  if (type.set === 'Document_ЗаказПокупателя' && (mode !== 'write' || !before))
    customerOrder(world, type, after, mode === 'post');
  if (isWorkOrder && world.options.extension) {
    const property = propertyOf(world, type.set, 'Дата записи');
    if (property !== undefined) {
      putInformation(world, type.set, textOf(after, 'Ref_Key'), property, world.localNow());
    }
  }
}

/** 1C's own search form of an article. */
function searchForm(article: string): string {
  return article.toUpperCase().replace(/[^0-9A-ZА-ЯЁ]/g, '');
}

const CODE_PREFIX: Readonly<Record<string, string>> = {
  Catalog_Контрагенты: 'ЦБ',
  Catalog_ДоговорыВзаиморасчетов: 'ЦБ',
};

function counterparty(after: Entity): void {
  demand(after, 'ВидКонтрагента ФормаСобственности');
  const names = [after.Фамилия, after.Имя, after.Отчество].filter((part) => part !== '');
  if (after.ФормаСобственности !== 'ЧастноеЛицо') {
    demand(after, 'Description НаименованиеПолное');
    return;
  }
  if (names.length === 0) throw handlerRefusal('Не заполнено ни одно из полей "Фамилия", "Имя", "Отчество"');
  if (after.Description === '') after.Description = names.join(' ');
}

/** The unit that an item's lines are counted in is made with the item. */
function mainUnit(world: World, after: Entity): void {
  if (!isEmpty(after.ОсновнаяЕдиницаИзмерения_Key)) return;
  const base = world.get('Catalog_ЕдиницыИзмерения', textOf(after, 'БазоваяЕдиницаИзмерения_Key'));
  if (!base) return;
  const unit = { ...base, Ref_Key: world.newRef(), Predefined: false, PredefinedDataName: '' };
  world.put('Catalog_ЕдиницыИзмерения', {
    ...unit,
    Code: String(world.nextNumber('Catalog_ЕдиницыИзмерения')).padStart(9, '0'),
    Owner: textOf(after, 'Ref_Key'),
    Owner_Type: 'StandardODATA.Catalog_Номенклатура',
  });
  after.ОсновнаяЕдиницаИзмерения_Key = unit.Ref_Key;
}

function catalogRules(world: World, type: EntityType, before: Entity | undefined, after: Entity): void {
  if (after.IsFolder !== true && after.DeletionMark !== true) {
    fillCheck(type, after);
    if (type.set === 'Catalog_Контрагенты') counterparty(after);
  }
  giveCode(world, type, before, after);
  if (after.IsFolder === true) return;
  if (type.columns.has('АртикулДляПоиска')) after.АртикулДляПоиска = searchForm(textOf(after, 'Артикул'));
  if (type.set === 'Catalog_Номенклатура') mainUnit(world, after);
}

/**
 * What Alfa-Auto does at a write of an object; changes `after` in place. Throws an `OnecRefusal` (500/-1) with nothing of the
 * object written.
 */
export function runHandlers(
  world: World,
  type: EntityType,
  before: Entity | undefined,
  after: Entity,
  mode: WriteMode,
): void {
  if (mode === 'load') return;
  if (type.kind === 'document') documentRules(world, type, before, after, mode);
  if (type.kind === 'catalog') catalogRules(world, type, before, after);
}

/** An entity whole: named values over empty ones, rows numbered. Nothing is checked: it is content, not a write. */
export function seededEntity(world: World, type: EntityType, values: Record<string, unknown>): Entity {
  const entity = blankEntity(type);
  for (const [name, value] of Object.entries(values)) {
    if (type.tables.has(name) && Array.isArray(value)) {
      entity[name] = value.map((row, index) => blankRow(type, name, index + 1, row as Record<string, never>));
    } else if (type.columns.has(name)) entity[name] = value as Entity[string];
    else throw new Error(`1C stand-in: ${type.set} has no ${name}`);
  }
  if (type.kind === 'register') return entity;
  if (isEmpty(entity.Ref_Key)) entity.Ref_Key = world.newRef();
  if (isEmpty(entity.DataVersion)) entity.DataVersion = world.nextVersion();
  return entity;
}
