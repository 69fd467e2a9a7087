import { name } from './mapping-onec-documents.ts';
import { WAYS } from './mapping-onec-merge.ts';
import type { OnecLocator, OnecMapping, OnecRole, OnecScalar } from './mapping-onec-types.ts';
import {
  type Field,
  isMap,
  map,
  mapped,
  oneOf,
  oneOrMore,
  optional,
  type Reader,
  required,
  text,
  withDefault,
} from './shape.ts';

type Catalogs = OnecMapping['catalogs'];

const maybe = optional(name);

const guid: Reader<string> = (value, path, report) => {
  if (typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) {
    return value.toLowerCase();
  }
  report(path, 'expected a guid such as 8d3f0c52-1f7e-11ef-9c5a-0050569f2e9f');
  return undefined;
};

const place = map<{ set: string } & Record<(typeof WAYS)[number], string | undefined>>({
  set: required(name),
  guid: optional(guid),
  code: optional(text),
  description: optional(text),
  predefined: maybe,
});

/** Where a thing of a catalog is found, in exactly one way. */
const locator: Reader<OnecLocator> = (value, path, report) => {
  const read = place(value, path, report);
  if (read === undefined) return undefined;
  const given = WAYS.flatMap((way) => (read[way] === undefined ? [] : [[way, read[way]] as const]));
  const [[way, found] = []] = given;
  if (way === undefined || found === undefined || given.length > 1) {
    report(path, `expected exactly one of ${WAYS.join(', ')}`);
    return undefined;
  }
  return { set: read.set, [way]: found } as OnecLocator;
};

const values = withDefault<readonly string[]>([], listOrNone());

/** One text or several, or none at all. */
function listOrNone(): Reader<readonly string[]> {
  const some = oneOrMore(text);
  return (value, path, report) => (Array.isArray(value) && value.length === 0 ? [] : some(value, path, report));
}

const counterparty = map<Catalogs['counterparty']>(
  {
    set: required(name),
    legalForm: maybe,
    legalValues: values,
    entrepreneurValues: values,
    entrepreneurAs: withDefault('company', oneOf('company', 'person')),
    personValue: optional(text),
    legalValue: optional(text),
    fullName: maybe,
    firstName: maybe,
    lastName: maybe,
    contacts: maybe,
    // Columns and values of contact information are the same wherever БСП is (seen in Alfa-Auto 6.1).
    contactType: withDefault('Тип', name),
    contactKind: maybe,
    contactText: withDefault('Представление', name),
    contactPhone: maybe,
    contactEmail: maybe,
    phoneType: withDefault('Телефон', text),
    emailType: withDefault('АдресЭлектроннойПочты', text),
    phoneKind: optional(locator),
    emailKind: optional(locator),
    persons: optional(
      map<{ set: string; owner: string; person: string }>({
        set: required(name),
        owner: required(name),
        person: required(name),
      }),
    ),
  },
  ({ given, fail }) => {
    for (const key of ['legalValues', 'legalValue', 'personValue'] as const) {
      if (given('legalForm') && !given(key)) fail(key, 'missing; legalForm alone does not tell firms from people');
    }
  },
);

const setAlone = map<{ set: string }>({ set: required(name) });

/** Catalogs and the names of their properties. */
export const catalogs: Reader<Catalogs> = map<Catalogs>({
  counterparty: withDefault({}, counterparty),
  item: withDefault(
    {},
    map<Catalogs['item']>({
      set: required(name),
      article: maybe,
      searchArticle: maybe,
      maker: maybe,
      unit: maybe,
      lineUnit: maybe,
      fullName: maybe,
      type: maybe,
      vat: maybe,
    }),
  ),
  work: withDefault(
    {},
    map<Catalogs['work']>({ set: required(name), article: maybe, fullName: maybe, item: maybe, type: maybe }),
  ),
  maker: optional(setAlone),
  unit: optional(setAlone),
  contract: optional(
    map<NonNullable<Catalogs['contract']>>({
      set: required(name),
      // A standard property of a catalog that is subordinate to another (1C developer's guide, 17.4).
      owner: withDefault('Owner_Key', name),
      organization: maybe,
      department: maybe,
      currency: maybe,
    }),
  ),
  organization: withDefault({}, setAlone),
  department: withDefault({}, setAlone),
  user: withDefault({}, setAlone),
  manager: optional(setAlone),
  car: optional(setAlone),
});

const role: Field<OnecLocator | undefined> = optional(locator);

interface DefaultsPart {
  defaults: OnecMapping['defaults'];
  operations: OnecMapping['operations'];
}

/** `defaults`, whose key `operation` holds one reference for each kind of document. */
export const defaults: Reader<DefaultsPart> = mapped(
  map<Record<OnecRole, OnecLocator | undefined> & { operation: OnecMapping['operations'] }>({
    organization: role,
    department: role,
    warehouse: role,
    priceType: role,
    workPriceType: role,
    vat: role,
    repairKind: role,
    workshop: role,
    currency: role,
    author: role,
    manager: role,
    unit: role,
    itemType: role,
    workItem: role,
    workType: role,
    itemFolder: role,
    workFolder: role,
    counterpartyFolder: role,
    operation: withDefault(
      {},
      map<OnecMapping['operations']>({
        workOrder: role,
        customerOrder: role,
        repairRequest: role,
        repairSummary: role,
      }),
    ),
  }),
  ({ operation, ...roles }) => ({ defaults: roles, operations: operation }),
);

const scalar: Reader<OnecScalar> = (value, path, report) => {
  if (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) {
    return value as OnecScalar;
  }
  report(path, 'expected a text, a number, true or false');
  return undefined;
};

/** A map whose keys the operator chooses; a key that was left empty is none. */
export function byName<T>(reader: Reader<T>, key?: Reader<string>): Reader<Readonly<Record<string, T>>> {
  return (value, path, report) => {
    if (!isMap(value)) {
      report(path, 'expected a map');
      return undefined;
    }
    const written = Object.entries(value).filter(([, item]) => item !== null && item !== undefined);
    const read = written.flatMap(([own, item]) => {
      const at = [...path, own];
      const one = reader(item, at, report);
      return (key !== undefined && key(own, at, report) === undefined) || one === undefined
        ? []
        : [[own, one] as const];
    });
    return read.length === written.length ? Object.fromEntries(read) : undefined;
  };
}

const constantsOf = withDefault({}, byName(scalar, name));

/** Values that are sent with every new object, property by property. */
export const constants: Reader<OnecMapping['constants']> = map<OnecMapping['constants']>({
  workOrder: constantsOf,
  customerOrder: constantsOf,
  repairRequest: constantsOf,
  repairSummary: constantsOf,
  item: constantsOf,
  work: constantsOf,
  counterparty: constantsOf,
  contract: constantsOf,
  goodsRow: constantsOf,
  worksRow: constantsOf,
});
