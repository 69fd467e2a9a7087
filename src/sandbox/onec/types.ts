import { type Columns, columnsOf, type EntityType } from './model.ts';

const OBJECT = 'Ref_Key:s DataVersion:s DeletionMark:b';
const PREDEFINED = 'Predefined:b PredefinedDataName:s';

/** Attributes that all four documents have (seen in Alfa-Auto 6.1). */
const DOCUMENT_COMMON = `${OBJECT} Number:f11 Date:t Posted:b
  Организация>Catalog_Организации ПодразделениеКомпании>Catalog_ПодразделенияКомпании Автор>Catalog_Пользователи
  ВалютаДокумента>Catalog_Валюты КурсДокумента:d КурсВалютыУпр:d Менеджер>Catalog_Сотрудники Комментарий:s500
  ХозОперация>Catalog_ХозОперации ДатаСоздания:t ДатаОперации:t Проект>Catalog_Проекты`;

const ADDITIONAL = 'Свойство>ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения Значение* ТекстоваяСтрока:s';
const GOODS = `Номенклатура>Catalog_Номенклатура Количество:d ЕдиницаИзмерения>Catalog_ЕдиницыИзмерения Коэффициент:d Цена:d
  Сумма:d СтавкаНДС>Catalog_СтавкиНДС СуммаНДС:d СуммаВсего:d ПроцентСкидки:d СуммаСкидки:d
  СкладКомпании>Catalog_СкладыКомпании ИдентификаторПричиныОбращения:s36`;
const WORKS = `Авторабота>Catalog_Автоработы ИдентификаторРаботы:s36 Количество:d Нормочас>Catalog_Нормочасы Коэффициент:d Цена:d
  Сумма:d СтавкаНДС>Catalog_СтавкиНДС СуммаНДС:d СуммаВсего:d СпособРасчетаСтоимостиРаботы:s ИдентификаторПричиныОбращения:s36`;
const EXECUTORS = 'ИдентификаторРаботы:s36 Исполнитель>Catalog_Сотрудники Цех>Catalog_Цеха Процент:d';
const REASONS =
  'ПричинаОбращения>Catalog_ПричиныОбращений ПричинаОбращенияСодержание:s ИдентификаторПричиныОбращения:s36';
const CONTACTS = `Тип:s Вид>Catalog_ВидыКонтактнойИнформации Представление:s500 Значение:s ЗначенияПолей:s АдресЭП:s100
  ДоменноеИмяСервера:s100 НомерТелефона:s20 НомерТелефонаБезКодов:s20 Страна:s100 Регион:s50 Город:s50
  ВидДляСписка>Catalog_ВидыКонтактнойИнформации ДействуетС:t`;
const REPAIR = `ТипЦен>Catalog_ТипыЦен ТипЦенРабот>Catalog_ТипыЦен ВидРемонта>Catalog_ВидыРемонта Цех>Catalog_Цеха
  Мастер>Catalog_Сотрудники Диспетчер>Catalog_Сотрудники ДатаНачала:t ДатаОкончания:t ОписаниеПричиныОбращения:s Пробег:i`;

type Tables = Record<string, string>;

function tablesOf(tables: Tables): Map<string, Columns> {
  return new Map(Object.entries(tables).map(([name, text]) => [name, columnsOf(`LineNumber:l ${text}`)]));
}

function catalog(name: string, codeLength: number, more = '', tables: Tables = {}): EntityType {
  const set = name.includes('_') ? name : `Catalog_${name}`;
  const columns = columnsOf(`${OBJECT} Code:f${codeLength} Description:s150 ${PREDEFINED} ${more}`);
  return { set, kind: 'catalog', columns, tables: tablesOf(tables), key: ['Ref_Key'] };
}

function document(name: string, more: string, tables: Tables): EntityType {
  const columns = columnsOf(`${DOCUMENT_COMMON} ${more}`);
  return { set: `Document_${name}`, kind: 'document', columns, tables: tablesOf(tables), key: ['Ref_Key'] };
}

function register(name: string, dimensions: string, more: string): EntityType {
  const key = [...columnsOf(dimensions).keys()];
  const columns = columnsOf(`${dimensions} ${more}`);
  return { set: `InformationRegister_${name}`, kind: 'register', columns, tables: new Map(), key };
}

const FOLDERS = (set: string) => `Parent>Catalog_${set} IsFolder:b`;

/** Everything that this 1C publishes, in the order of its service document. Names as in Alfa-Auto 6.1. */
const TYPES: readonly EntityType[] = [
  catalog('Организации', 9, 'НаименованиеПолное:s ИНН:s12 Префикс:s2'),
  catalog('ПодразделенияКомпании', 9, 'Parent>Catalog_ПодразделенияКомпании'),
  catalog('СкладыКомпании', 9),
  catalog('ТипыЦен', 5, 'Валюта>Catalog_Валюты'),
  catalog('СтавкиНДС', 5, 'Ставка:d'),
  catalog('ВидыРемонта', 8),
  catalog('Цеха', 9),
  catalog('ХозОперации', 9),
  catalog('Валюты', 3, 'НаименованиеПолное:s50'),
  catalog('Пользователи', 0),
  catalog('Сотрудники', 9),
  catalog('Проекты', 9),
  catalog('Нормочасы', 9),
  catalog('ПричиныОбращений', 9),
  catalog('ТипыНоменклатуры', 9),
  catalog('ТипыАвторабот', 9),
  catalog('РекламныеИсточники', 9),
  catalog('Взаимоотношения', 9),
  catalog('Модели', 9),
  catalog('ВидыКонтактнойИнформации', 9, 'Тип:s'),
  catalog(
    'ВидыСостоянийЗаказНарядов',
    10,
    'Порядок:i Цвет:s ИспользоватьВЗаказНаряде:b ИспользоватьВЗаказеПокупателя:b ИспользоватьВЗаказеПоставщика:b',
  ),
  catalog('Производители', 9, '', { Синонимы: 'Синоним:s100' }),
  catalog('ЕдиницыИзмерения', 9, 'Owner* Коэффициент:d'),
  catalog(
    'Номенклатура',
    11,
    `${FOLDERS('Номенклатура')} Артикул:s50 АртикулДляПоиска:s50 Производитель>Catalog_Производители
    ТипНоменклатуры>Catalog_ТипыНоменклатуры ВидНоменклатуры:s БазоваяЕдиницаИзмерения>Catalog_ЕдиницыИзмерения
    ОсновнаяЕдиницаИзмерения>Catalog_ЕдиницыИзмерения СтавкаНДС>Catalog_СтавкиНДС ВалютаУчета>Catalog_Валюты НаименованиеПолное:s`,
    { ДополнительныеРеквизиты: ADDITIONAL },
  ),
  catalog(
    'Автоработы',
    10,
    `${FOLDERS('Автоработы')} Артикул:s50 АртикулДляПоиска:s50 НаименованиеПолное:s Номенклатура>Catalog_Номенклатура
    ВремяВыполнения:d ВидИспользования:s Тип>Catalog_ТипыАвторабот СпособРасчетаСтоимостиРаботы:s`,
  ),
  catalog(
    'Контрагенты',
    9,
    `${FOLDERS('Контрагенты')} ИНН:s12 КПП:s9 ОГРН:s15 НаименованиеПолное:s Фамилия:s50 Имя:s50 Отчество:s50 ДатаРождения:t
    ФормаСобственности:s ВидКонтрагента:s РекламныйИсточник>Catalog_РекламныеИсточники ГоловнойКонтрагент>Catalog_Контрагенты
    Комментарий:s`,
    { КонтактнаяИнформация: CONTACTS, ДополнительныеРеквизиты: ADDITIONAL },
  ),
  catalog(
    'ДоговорыВзаиморасчетов',
    9,
    `Owner>Catalog_Контрагенты ВидДоговора:s ТипДоговора:s ДляАвтосервиса:b Основной:b ВалютаВзаиморасчетов>Catalog_Валюты
    Организация>Catalog_Организации ПодразделениеКомпании>Catalog_ПодразделенияКомпании СпособВеденияВзаиморасчетов:s
    СпособЗачетаАвансов:s`,
  ),
  catalog('Автомобили', 9, 'VIN:s17 Модель>Catalog_Модели ГодВыпуска:t'),
  catalog(
    'НаборыДополнительныхРеквизитовИСведений',
    0,
    'Parent>Catalog_НаборыДополнительныхРеквизитовИСведений IsFolder:b',
    {
      ДополнительныеРеквизиты: 'Свойство>ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения ПометкаУдаления:b',
      ДополнительныеСведения: 'Свойство>ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения ПометкаУдаления:b',
    },
  ),
  catalog(
    'ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения',
    0,
    `Parent>ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения IsFolder:b Заголовок:s75 Имя:s100 ИдентификаторДляФормул:s100
    ЭтоДополнительноеСведение:b ВидСвойств:s НаборСвойств>Catalog_НаборыДополнительныхРеквизитовИСведений ValueType:types`,
  ),
  document(
    'ЗаявкаНаРемонт',
    `СуммаДокумента:d ${REPAIR} Заказчик>Catalog_Контрагенты Контрагент>Catalog_Контрагенты Автомобиль>Catalog_Автомобили
    Модель>Catalog_Модели VIN:s17 ГосНомер:s17 ДоговорВзаиморасчетов>Catalog_ДоговорыВзаиморасчетов Состояние:s
    ПредставлениеТелефона:s50 АдресЭлектроннойПочты:s200 ДокументОснование*`,
    {
      Товары: GOODS,
      Автоработы: WORKS,
      Исполнители: EXECUTORS,
      ПричиныОбращения: REASONS,
      ДополнительныеРеквизиты: ADDITIONAL,
    },
  ),
  document(
    'СводныйРемонтныйЗаказ',
    `ДокументОснование* Заказчик>Catalog_Контрагенты Автомобиль>Catalog_Автомобили Пробег:i ДатаСводногоРемонтногоЗаказа:t
    ДатаЗакрытия:t ПлановаяДатаВыдачи:t ПредставлениеТелефона:s50 АдресЭлектроннойПочты:s200`,
    { ДополнительныеРеквизиты: ADDITIONAL },
  ),
  document(
    'ЗаказНаряд',
    `СуммаДокумента:d ${REPAIR} ДокументОснование* СводныйРемонтныйЗаказ>Document_СводныйРемонтныйЗаказ
    Контрагент>Catalog_Контрагенты ДоговорВзаиморасчетов>Catalog_ДоговорыВзаиморасчетов
    Состояние>Catalog_ВидыСостоянийЗаказНарядов СкладКомпании>Catalog_СкладыКомпании СуммаНоменклатурыДокумента:d
    СуммаРаботДокумента:d СогласованнаяСумма:d ДатаЗакрытия:t ПлановаяДатаВыдачи:t Рекомендации:s Гарантии:s
    Нормочас>Catalog_Нормочасы СпособЗачетаАвансов:s`,
    {
      Товары: GOODS,
      Автоработы: WORKS,
      Исполнители: EXECUTORS,
      ПричиныОбращения: REASONS,
      ДополнительныеРеквизиты: ADDITIONAL,
    },
  ),
  document(
    'ЗаказПокупателя',
    `СуммаДокумента:d Контрагент>Catalog_Контрагенты ДоговорВзаиморасчетов>Catalog_ДоговорыВзаиморасчетов
    Автомобиль>Catalog_Автомобили ТипЦен>Catalog_ТипыЦен СкладКомпании>Catalog_СкладыКомпании СрокПоставки:t
    ПроцентПредоплаты:d СуммаПредоплаты:d СтатусУтверждения:s ДокументОснование*`,
    { Товары: GOODS, ДополнительныеРеквизиты: ADDITIONAL },
  ),
  register(
    'ДополнительныеСведения',
    'Объект* Свойство>ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения',
    'Значение*',
  ),
  register(
    'ЖурналСостояний',
    'Period:t Объект*',
    'Состояние* Автор>Catalog_Пользователи Компьютер:s50 ПротоколУстановки:s',
  ),
  register(
    'КонтактныеЛица',
    'Владелец* КонтактноеЛицо>Catalog_Контрагенты',
    'Взаимоотношение>Catalog_Взаимоотношения Основной:b',
  ),
  register('Автомобили', 'Period:t Автомобиль>Catalog_Автомобили ВидЗначения:s', 'Значение*'),
];

export const ENTITY_TYPES: ReadonlyMap<string, EntityType> = new Map(TYPES.map((type) => [type.set, type]));

/** A table part's own set: `Document_X_Товары`. */
export function tableSet(set: string): { owner: EntityType; table: string; columns: Columns } | undefined {
  const at = set.lastIndexOf('_');
  const owner = ENTITY_TYPES.get(set.slice(0, at));
  const table = set.slice(at + 1);
  const columns = owner?.tables.get(table);
  return owner && columns ? { owner, table, columns } : undefined;
}
