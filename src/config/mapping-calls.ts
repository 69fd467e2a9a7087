import { assert } from '../base/errors.ts';
import {
  checked,
  code,
  dialContext,
  dialTemplate,
  extensions,
  lengths,
  matching,
  retailUser,
  symbolicCode,
  variableName,
  written,
} from './mapping-calls-readers.ts';
import type { CallsMapping, Enterprise } from './mapping-calls-types.ts';
import {
  boolean,
  list,
  map,
  mapped,
  oneOf,
  optional,
  type Path,
  type Reader,
  type Report,
  required,
  template,
  text,
  withDefault,
} from './shape.ts';
import { country, duration, zone } from './variables.ts';

const retailcrm = mapped(
  map<{ url_env: string; key_env: string; site: string | undefined; timezone: string | undefined }>({
    url_env: withDefault('RETAILCRM_API_URL', variableName),
    key_env: withDefault('RETAILCRM_API_KEY', variableName),
    site: optional(symbolicCode),
    timezone: optional(written(zone())),
  }),
  (read): Enterprise['retailcrm'] => ({
    urlEnv: read.url_env,
    keyEnv: read.key_env,
    site: read.site,
    timeZone: read.timezone,
  }),
);

const column = matching(/^[A-Za-z_]\w{0,63}$/, 'the name of a column, such as uniqueid');

/** A file of call records has no head: a name given twice would shift nothing, yet hide one of both. */
const columns = checked(list(column), (read, path, report) => {
  const names = read.map((name) => name.toLowerCase());
  const again = names.findIndex((name, index) => names.indexOf(name) < index);
  if (again >= 0) report([...path, again], 'this column stands twice');
  if (read.length === 0) report(path, 'expected at least one value');
  return again < 0 && read.length > 0;
});

const cdr = mapped(
  map<{
    url_env: string;
    host: string;
    table: string;
    timezone: string | undefined;
    columns: readonly string[] | undefined;
    quiet: number;
  }>({
    url_env: withDefault('CDR_URL', variableName),
    host: withDefault('pbx1', code),
    table: withDefault('cdr', matching(/^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$/, 'a table such as cdr or schema.cdr')),
    timezone: optional(written(zone())),
    columns: optional(columns),
    quiet: withDefault('2m', written(duration())),
  }),
  (read): Enterprise['cdr'] => ({
    urlEnv: read.url_env,
    host: read.host,
    table: read.table,
    timeZone: read.timezone,
    columns: read.columns,
    quietMs: read.quiet,
  }),
);

/** Without one of the first three every call would get the same link. */
const recordingPath = checked(
  template(['file', 'name', 'uniqueid', 'YYYY', 'MM', 'DD']),
  ({ names, text: source }, path, report) => {
    const tells = names.some((name) => name === 'file' || name === 'name' || name === 'uniqueid');
    if (!tells) report(path, 'expected {file}, {name} or {uniqueid} in it');
    if (/\s/.test(source)) report(path, 'expected no spaces in it');
    return tells && !/\s/.test(source);
  },
);

const recordings = mapped(
  map<{ base_url_env: string; path: Enterprise['recordings']['path']; grace: number }>({
    base_url_env: withDefault('RECORDINGS_BASE_URL', variableName),
    path: optional(recordingPath),
    grace: withDefault('5m', written(duration())),
  }),
  (read): Enterprise['recordings'] => ({ baseUrlEnv: read.base_url_env, path: read.path, graceMs: read.grace }),
);

const createCustomers = map<Enterprise['createCustomers']>({
  incoming: withDefault(true, boolean),
  outgoing: withDefault(true, boolean),
  missed: withDefault(true, boolean),
});

const missed = mapped(
  map<{
    task: boolean;
    order: boolean;
    due: number;
    within: number;
    performer: Enterprise['missed']['performer'];
    order_method: string | undefined;
    order_status: string | undefined;
  }>({
    task: withDefault(true, boolean),
    order: withDefault(false, boolean),
    due: withDefault('15m', written(duration())),
    within: withDefault('7d', written(duration())),
    performer: optional(retailUser),
    order_method: optional(symbolicCode),
    order_status: optional(symbolicCode),
  }),
  ({ task, order, performer, ...read }): Enterprise['missed'] => ({
    task,
    order,
    dueMs: read.due,
    withinMs: read.within,
    performer,
    orderMethod: read.order_method,
    orderStatus: read.order_status,
  }),
);

/** Asterisk refuses a channel without a slash (`Invalid channel`, AMI's Originate). */
const channel = dialTemplate(['extension'], ({ names, text: source }) =>
  names.length > 0 && /^\w+\/./.test(source) ? undefined : 'expected a channel such as Local/{extension}@from-internal',
);

const dial = dialTemplate(['prefix', 'digits', 'national'], ({ names }) =>
  names.includes('digits') || names.includes('national') ? undefined : 'expected {digits} or {national} in it',
);

const allow = checked(
  list(matching(/^\+\d{1,15}$/, 'the beginning of a number, "+" and digits, such as "+7"')),
  (read, path, report) => {
    if (read.length === 0) report(path, 'expected at least one value');
    return read.length > 0;
  },
);

const asterisk = mapped(
  map<{
    host_env: string;
    port_env: string;
    user_env: string;
    secret_env: string;
    ssh_env: string;
    channel: Enterprise['asterisk']['channel'];
    context: string;
    dial: Enterprise['asterisk']['dial'];
    allow: readonly string[];
  }>({
    host_env: withDefault('ASTERISK_AMI_HOST', variableName),
    port_env: withDefault('ASTERISK_AMI_PORT', variableName),
    user_env: withDefault('ASTERISK_AMI_USER', variableName),
    secret_env: withDefault('ASTERISK_AMI_SECRET', variableName),
    ssh_env: withDefault('ASTERISK_SSH', variableName),
    channel: withDefault('Local/{extension}@from-internal', channel),
    context: withDefault('from-internal', dialContext),
    dial: withDefault('{prefix}{digits}', dial),
    allow: withDefault(['+7', '+375'], allow),
  }),
  (read): Enterprise['asterisk'] => ({
    hostEnv: read.host_env,
    portEnv: read.port_env,
    userEnv: read.user_env,
    secretEnv: read.secret_env,
    sshEnv: read.ssh_env,
    channel: read.channel,
    context: read.context,
    dial: read.dial,
    allow: read.allow,
  }),
);

const enterprise = mapped(
  map<
    Pick<
      Enterprise,
      'number' | 'country' | 'retailcrm' | 'cdr' | 'recordings' | 'extensions' | 'trunks' | 'manager'
    > & {
      internal_length: Enterprise['internalLength'];
      outbound_prefix: string;
      client_id_env: string;
      create_customers: Enterprise['createCustomers'];
    } & Pick<Enterprise, 'missed' | 'asterisk'>
  >({
    number: required(code),
    country: optional(written(country())),
    retailcrm: withDefault({}, retailcrm),
    cdr: withDefault({}, cdr),
    recordings: withDefault({}, recordings),
    extensions: withDefault({}, extensions),
    internal_length: withDefault([2, 5], lengths),
    trunks: withDefault([], list(text)),
    outbound_prefix: withDefault('', matching(/^[0-9*#+]{0,16}$/, 'digits, *, # and +, such as "9", or ""')),
    manager: withDefault('last', oneOf('last', 'first')),
    client_id_env: withDefault('RETAILCRM_CLIENT_ID', variableName),
    create_customers: withDefault({}, createCustomers),
    missed: withDefault({}, missed),
    asterisk: withDefault({}, asterisk),
  }),
  ({ internal_length, outbound_prefix, client_id_env, create_customers, ...read }): Enterprise => ({
    ...read,
    internalLength: internal_length,
    outboundPrefix: outbound_prefix,
    clientIdEnv: client_id_env,
    createCustomers: create_customers,
  }),
);

/** A name that is given twice would be read as two things, and one of them would be wrong. */
function refuseSharedNames(read: Enterprise, path: Path, report: Report): boolean {
  const names: readonly [name: string, ...at: string[]][] = [
    [read.retailcrm.urlEnv, 'retailcrm', 'url_env'],
    [read.retailcrm.keyEnv, 'retailcrm', 'key_env'],
    [read.cdr.urlEnv, 'cdr', 'url_env'],
    [read.recordings.baseUrlEnv, 'recordings', 'base_url_env'],
    [read.clientIdEnv, 'client_id_env'],
    [read.asterisk.hostEnv, 'asterisk', 'host_env'],
    [read.asterisk.portEnv, 'asterisk', 'port_env'],
    [read.asterisk.userEnv, 'asterisk', 'user_env'],
    [read.asterisk.secretEnv, 'asterisk', 'secret_env'],
    [read.asterisk.sshEnv, 'asterisk', 'ssh_env'],
  ];
  const again = names.filter(([name], index) => names.findIndex(([other]) => other === name) < index);
  for (const [name, ...at] of again) report([...path, ...at], `${name} is named for something else already`);
  return again.length === 0;
}

/** The same records for the same account: every call would be sent there once more, under the other host's code. */
function isSameWay(one: Enterprise, other: Enterprise): boolean {
  return (
    one.cdr.urlEnv === other.cdr.urlEnv &&
    one.cdr.table === other.cdr.table &&
    one.retailcrm.urlEnv === other.retailcrm.urlEnv &&
    one.retailcrm.keyEnv === other.retailcrm.keyEnv
  );
}

/** Rows are known by the enterprise's number, calls by the host's code: neither may stand for two. */
function refuseRepeats(read: readonly Enterprise[], path: Path, report: Report): boolean {
  let isRight = true;
  read.forEach((one, index) => {
    const before = read.slice(0, index);
    const [number, host, way] = [
      before.findIndex((other) => other.number === one.number),
      before.findIndex((other) => other.cdr.host === one.cdr.host),
      before.findIndex((other) => isSameWay(other, one)),
    ];
    if (number >= 0) report([...path, index, 'number'], `enterprises[${number}] has this number already`);
    if (host >= 0) report([...path, index, 'cdr', 'host'], `enterprises[${host}] has this host already`);
    // Of one that stands there twice the host says enough.
    if (way >= 0 && host < 0) {
      report([...path, index, 'cdr', 'url_env'], `enterprises[${way}] sends the same call records to the same account`);
    }
    isRight &&= number < 0 && host < 0 && way < 0;
  });
  if (read.length === 0) report(path, 'expected at least one value');
  return isRight && read.length > 0;
}

/** The `calls` part of the mapping. */
export const readCallsMapping: Reader<CallsMapping> = map<CallsMapping>({
  enterprises: required(checked(list(checked(enterprise, refuseSharedNames)), refuseRepeats)),
});

/** What holds where the mapping has no such part: one enterprise with every default, described by the environment. */
export function defaultEnterprise(): Enterprise {
  const faults: string[] = [];
  const read = enterprise({ number: '0001' }, [], (_, message) => faults.push(message));
  assert(read !== undefined && faults.length === 0, 'the defaults of an enterprise are no faults');
  return read;
}
