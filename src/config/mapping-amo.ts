import { boolean, map, mapped, oneOf, optional, positive, type Reader, withDefault } from './shape.ts';

/** amoCRM deal fields that several streams share, by what they hold. Absent: not written, not read. */
export interface AmoDealFields {
  readonly serial_number: number | undefined;
  readonly model: number | undefined;
  readonly telegram_id: number | undefined;
  readonly service_status: number | undefined;
  readonly next_service_on: number | undefined;
}

export interface AmoMapping {
  readonly contact: {
    /** The kind of number that a new contact's phone is entered as. */
    readonly phoneEnum: 'WORK' | 'WORKDD' | 'MOB' | 'FAX' | 'HOME' | 'OTHER';
    /** Whether a contact found by its phone keeps the name that people gave it. */
    readonly neverRename: boolean;
  };
  readonly fields: AmoDealFields;
}

const contact: Reader<AmoMapping['contact']> = mapped(
  map<{ phone_enum: AmoMapping['contact']['phoneEnum']; never_rename: boolean }>({
    // The codes of amoCRM's own PHONE field (API v4 documents, contacts).
    phone_enum: withDefault('WORK', oneOf('WORK', 'WORKDD', 'MOB', 'FAX', 'HOME', 'OTHER')),
    never_rename: withDefault(true, boolean),
  }),
  (read) => ({ phoneEnum: read.phone_enum, neverRename: read.never_rename }),
);

const fields = map<AmoDealFields>({
  serial_number: optional(positive),
  model: optional(positive),
  telegram_id: optional(positive),
  service_status: optional(positive),
  next_service_on: optional(positive),
});

/** The `amo` part of the mapping. */
export const readAmoMapping: Reader<AmoMapping> = map<AmoMapping>({
  contact: withDefault({}, contact),
  fields: withDefault({}, fields),
});
