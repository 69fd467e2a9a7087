import { randomBytes } from 'node:crypto';
import { AppError, ExitCode, usageError } from '../base/errors.ts';
import { RemoteError } from '../base/remote-error.ts';
import { maskPhone } from '../domain/phone.ts';
import type { Database } from '../state/database.ts';
import { saveClick, settleClick } from '../state/retail.ts';
import { connectAmi } from '../systems/asterisk/ami.ts';
import {
  type DialRules,
  type Origination,
  originateByAmi,
  originationOf,
  type RingOutcome,
  ringOutcome,
} from '../systems/asterisk/originate.ts';
import { ORIGINATE_MARK } from '../systems/asterisk/parties.ts';
import { onlyOne } from './chosen-enterprise.ts';
import { type CommandContext, defineCommand, text } from './define.ts';
import type { EnterpriseParts } from './retail-parts.ts';
import { withRetail } from './with-retail.ts';

const CONNECT_MS = 10_000;
/** Asterisk lets the manager's phone ring for 30 s. */
const WAIT_MS = 35_000;
/** A second click within that time is an impatient finger. */
const SAME_CLICK_MS = 5000;

/** `queued`: the PBX took it. What `--wait` saw of the manager's phone stands in the place of it. */
type CallStatus = 'queued' | 'already ringing' | 'would call' | RingOutcome;

interface CallResult {
  call_id: string | null;
  enterprise: string;
  extension: string;
  phone: string;
  status: CallStatus;
}

export const retailCallCommand = defineCommand({
  name: 'retail:call',
  summary: "Click-to-call by hand: rings the manager's phone, then dials the client",
  details:
    "Over AMI where it is set, else over ASTERISK_SSH. Only numbers whose beginnings calls.enterprises[].asterisk.allow lists are dialled. Ends with 1 where --wait saw that the manager's phone was not picked up.",
  arguments: [{ name: 'phone', description: "the client's number, best with its country code" }],
  options: {
    code: { value: 'extension', description: "the manager's extension", parse: text },
    enterprise: { value: 'number', description: 'where the mapping has several', parse: text },
    wait: { description: "wait for the manager's phone to be picked up, 35 s at most; AMI only" },
  },
  examples: [
    'retail:call +77010000000 --code 201',
    'retail:call +77010000000 --code 201 --wait',
    '--dry-run retail:call +77010000000 --code 201',
  ],
  run: async (ctx, [phone = ''], { code, enterprise, wait }) => {
    // The process list would show the number for as long as the phone rings.
    process.title = 'sdelka retail:call';
    if (code === undefined) throw usageError('--code is missing: whose phone shall ring');
    const { dryRun } = ctx.globals;
    const result = await withRetail(ctx, { readOnly: dryRun, needs: ['crm', 'asterisk'] }, async (given) => {
      const one = withWay(onlyOne(given.enterprises, enterprise));
      const call = originationOf(phone, code, dialRules(one));
      if (one.settings.ami === undefined && wait) throw usageError('--wait: only AMI tells what became of the call');
      const done = await (dryRun ? wouldCall() : place(ctx, given.database, one, call, wait));
      return { ...done, enterprise: one.enterprise.number, extension: call.extension, phone: maskPhone(call.phone) };
    });
    await show(ctx, { ...result });
    return exitOf(result.status);
  },
});

function withWay(one: EnterpriseParts): EnterpriseParts {
  if (one.settings.ami === undefined && one.settings.ssh === undefined) {
    throw usageError('this enterprise has neither AMI nor SSH settings');
  }
  return one;
}

function dialRules({ enterprise, country }: EnterpriseParts): DialRules {
  const { extensions, internalLength, outboundPrefix, asterisk } = enterprise;
  const { channel, context, dial, allow } = asterisk;
  return {
    ...{ country, extensions: new Set(extensions.keys()), internalLength, outboundPrefix },
    ...{ channel, context, dial, allow },
  };
}

async function wouldCall(): Promise<Pick<CallResult, 'call_id' | 'status'>> {
  return { call_id: null, status: 'would call' };
}

/** The click is kept before anything is sent: the call records tell of it by its id, whatever becomes of this process. */
async function place(
  ctx: CommandContext,
  database: Database,
  one: EnterpriseParts,
  call: Origination,
  wait: boolean,
): Promise<Pick<CallResult, 'call_id' | 'status'>> {
  // FreePBX's tables keep 32 signs of a uniqueid and 20 of an account code.
  const id = `${ORIGINATE_MARK}${randomBytes(6).toString('hex')}`;
  const requestedAt = ctx.clock.now();
  const { extension, phone } = call;
  const click = { id, enterprise: one.enterprise.number, extension, phone, requestedAt };
  const isNew = await saveClick(database, click, new Date(requestedAt.getTime() - SAME_CLICK_MS));
  if (!isNew) return { call_id: null, status: 'already ringing' };
  try {
    const status = await ring(ctx, one, id, call, wait);
    await settleClick(database, id, status);
    return { call_id: id, status };
  } catch (error) {
    if (error instanceof AppError) await settleClick(database, id, isInDoubt(error) ? 'unknown' : error.code);
    throw error;
  }
}

/** The PBX may have taken it, so that the phone may ring. */
function isInDoubt(error: AppError): boolean {
  return error instanceof RemoteError && error.outcome === 'in-doubt';
}

async function ring(
  { signal }: CommandContext,
  { settings: { ami, ssh } }: EnterpriseParts,
  id: string,
  call: Origination,
  wait: boolean,
): Promise<CallStatus> {
  if (ami === undefined) {
    const { originateBySsh } = await import('../systems/asterisk/ssh.ts');
    await originateBySsh(ssh ?? '', call, signal);
    return 'queued';
  }
  let told: (outcome: RingOutcome) => void = () => undefined;
  const outcome = new Promise<RingOutcome>((resolve) => {
    told = resolve;
  });
  const connection = await connectAmi({
    ...{ ...ami, timeoutMs: CONNECT_MS, signal },
    ...(wait ? { events: ['call'] } : {}),
    onEvent: (event) => {
      const seen = ringOutcome(event, id);
      if (seen !== undefined) told(seen);
    },
  });
  try {
    await originateByAmi(connection, id, call);
    if (!wait) return 'queued';
    const timer = setTimeout(() => told('unknown'), WAIT_MS);
    void connection.closed.then(() => told('unknown'));
    return await outcome.finally(() => clearTimeout(timer));
  } finally {
    connection.close();
  }
}

function exitOf(status: CallStatus): ExitCode | undefined {
  const isFine = ['queued', 'answered', 'already ringing', 'would call'].includes(status);
  return isFine ? undefined : ExitCode.SomeFailed;
}

async function show({ out, globals }: CommandContext, result: CallResult): Promise<void> {
  const { call_id, enterprise, extension, phone, status } = result;
  await out.result({ ...(globals.dryRun ? { dry_run: true } : {}), ...result }, () =>
    out.table(
      ['call', 'enterprise', 'extension', 'phone', 'status'],
      [[call_id ?? '–', enterprise, extension, phone, status]],
    ),
  );
}
