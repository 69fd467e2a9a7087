import type { Template } from '../base/template.ts';

/** The `calls` part of the mapping, every default filled in. */
export interface CallsMapping {
  /** At least one; where the mapping has no such part, one is made of the environment alone. */
  readonly enterprises: readonly Enterprise[];
}

/** A user of RetailCRM: by id, or by the e-mail that he logs in with. */
export type RetailUser = number | string;

/** One firm: a PBX and the RetailCRM account that its calls go to. Names that end in `Env` are names of environment variables. */
export interface Enterprise {
  /** `enterprise_number` of the tables: letters, digits, `.`, `_` and `-`. */
  readonly number: string;
  /** ISO country of phones without a country code; absent: DEFAULT_COUNTRY. */
  readonly country: string | undefined;
  readonly retailcrm: {
    readonly urlEnv: string;
    readonly keyEnv: string;
    /** Code of the store; absent: RETAILCRM_SITE, which may be absent too. */
    readonly site: string | undefined;
    /** IANA zone of the account's dates; absent: as the account's settings say. */
    readonly timeZone: string | undefined;
  };
  readonly cdr: {
    readonly urlEnv: string;
    /** Code of the PBX host, the first part of every external id; no two enterprises share one. */
    readonly host: string;
    /** SQL only: `cdr`, or `schema.cdr`. */
    readonly table: string;
    /** IANA zone of the PBX's local times; absent: PBX_TIMEZONE. */
    readonly timeZone: string | undefined;
    /** CSV only: columns in their order; absent: as cdr_csv writes 18 of them (loguniqueid and loguserfield on). */
    readonly columns: readonly string[] | undefined;
    /** A call is over when its last row ended that long ago. */
    readonly quietMs: number;
  };
  readonly recordings: {
    /** Variable with what every link begins with; the variable may be absent, and then no links are sent. */
    readonly baseUrlEnv: string;
    /** What follows the prefix, of {file}, {name}, {YYYY}, {MM}, {DD}, {uniqueid}; absent: FreePBX's day folders where the name shows them, else {file}. */
    readonly path: Template | undefined;
    /** An answered call without a recording's name is held back that long after its end. */
    readonly graceMs: number;
  };
  /** extension → who of RetailCRM answers there. */
  readonly extensions: ReadonlyMap<string, RetailUser>;
  /** Digits of an own number. */
  readonly internalLength: { readonly min: number; readonly max: number };
  /** Beginnings of outside lines' channels, e.g. `PJSIP/trunk-a`. */
  readonly trunks: readonly string[];
  readonly outboundPrefix: string;
  /** Of several who spoke: who counts as the call's manager. */
  readonly manager: 'last' | 'first';
  readonly clientIdEnv: string;
  /** Whose first contact makes a customer; `incoming` means answered ones. */
  readonly createCustomers: { readonly incoming: boolean; readonly outgoing: boolean; readonly missed: boolean };
  readonly missed: {
    readonly task: boolean;
    readonly order: boolean;
    /** Called back within this time, nothing is made; also the task's deadline. */
    readonly dueMs: number;
    /** Missed calls older than this make neither task nor order. */
    readonly withinMs: number;
    /** Who gets the task where nobody was rung. */
    readonly performer: RetailUser | undefined;
    readonly orderMethod: string | undefined;
    readonly orderStatus: string | undefined;
  };
  readonly asterisk: {
    readonly hostEnv: string;
    readonly portEnv: string;
    readonly userEnv: string;
    readonly secretEnv: string;
    /** Variable with `user@host`, for `asterisk -rx` in the place of AMI. */
    readonly sshEnv: string;
    /** The manager's own phone, of {extension}; default `Local/{extension}@from-internal`. */
    readonly channel: Template;
    /** The dialplan context in which the client is dialled; default `from-internal`. */
    readonly context: string;
    /** What is dialled, of {prefix}, {digits} (E.164 without +), {national}; default `{prefix}{digits}`. */
    readonly dial: Template;
    /** Beginnings of numbers (E.164) that click-to-call may dial; absent: `+7` and `+375`. */
    readonly allow: readonly string[];
  };
}
