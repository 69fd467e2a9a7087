import { type AppError, ExitCode } from '../base/errors.ts';
import { registerSecret } from '../base/redact.ts';
import { sealer } from '../base/seal.ts';
import type { Secret } from '../base/secret.ts';
import { eachOne } from '../runner/each-one.ts';
import { oneOrAll } from './chosen-enterprise.ts';
import { type CommandContext, defineCommand, text } from './define.ts';
import { clientIdOf, type MergedCodes, type ModuleSettings, mergeCodes, moduleDraft } from './retail-module.ts';
import type { EnterpriseParts } from './retail-parts.ts';
import { type RetailAtHand, withRetail } from './with-retail.ts';

const KEPT = 'client_id';
const LABEL = 'retailcrm:client-id';

interface Registered {
  enterprise: string;
  module: string;
  was: 'new' | 'known';
  /** All extensions that RetailCRM knows now. */
  extensions: number;
  added: string[];
  moved: string[];
  unknown: string[];
}

export const retailRegisterCommand = defineCommand({
  name: 'retail:register',
  summary: 'Registers or updates the telephony module in RetailCRM',
  details:
    'Before it RetailCRM takes neither calls nor events. Extensions of the mapping (calls.enterprises[].extensions) are put beside those that RetailCRM knows already; the others stay. May be repeated at will.',
  options: { enterprise: { value: 'number', description: 'this enterprise alone', parse: text } },
  examples: ['retail:register', 'retail:register --enterprise 0001', '--dry-run retail:register'],
  run: async (ctx, _args, { enterprise }) => {
    const { dryRun } = ctx.globals;
    const { done, failure } = await withRetail(ctx, { readOnly: dryRun, needs: ['crm', 'module'] }, (given) =>
      registerAll(ctx, given, oneOrAll(given.enterprises, enterprise)),
    );
    if (done.length > 0 || failure === undefined) {
      await ctx.out.result({ ...(dryRun ? { dry_run: true } : {}), modules: done }, () => render(done, dryRun));
    }
    if (failure !== undefined) throw failure;
    return done.some(({ unknown }) => unknown.length > 0) ? ExitCode.SomeFailed : undefined;
  },
});

/** An account that is down or refuses us keeps no other from being registered; the first such failure ends the command. */
async function registerAll(ctx: CommandContext, given: RetailAtHand, parts: readonly EnterpriseParts[]) {
  const done: Registered[] = [];
  const told = ({ enterprise }: EnterpriseParts, { code, message }: AppError) =>
    ctx.log.warn({ enterprise: enterprise.number, code, reason: message }, 'an enterprise was not registered');
  const failure: unknown = await eachOne(parts, { signal: ctx.signal, told }, async (part) => {
    done.push(await register(ctx, given, part));
  }).catch((error: unknown) => error);
  return { done, failure };
}

async function register(ctx: CommandContext, { settings }: RetailAtHand, part: EnterpriseParts): Promise<Registered> {
  const { crm, enterprise, memory } = part;
  const code = String(settings.RETAILCRM_MODULE_CODE);
  const standing = await crm.module(code);
  const merged = mergeCodes(standing?.telephony?.additionalCodes ?? [], enterprise.extensions, await crm.users());
  const seals = sealer(settings.SECRET_KEY);
  const label = `${LABEL}:${enterprise.number}`;
  const stored = await memory.fact(KEPT);
  const kept = stored === undefined ? undefined : await seals.open(stored, label);
  const clientId = clientIdOf(part.settings.clientId, standing?.clientId, kept);
  registerSecret(clientId.reveal());
  const draft = moduleDraft(moduleSettings(settings, part), clientId, merged.codes, standing);
  if (!ctx.globals.dryRun) {
    // Kept before it is sent: a client id that RetailCRM knows and we do not would refuse every click.
    if (kept !== clientId.reveal()) await memory.setFact(KEPT, await seals.seal(clientId.reveal(), label));
    await crm.editModule(code, draft);
  }
  return {
    enterprise: enterprise.number,
    module: code,
    was: standing === undefined ? 'new' : 'known',
    extensions: merged.codes.length,
    ...codesOf(merged),
  };
}

function moduleSettings(settings: RetailAtHand['settings'], part: EnterpriseParts): ModuleSettings {
  return {
    name: String(settings.RETAILCRM_MODULE_NAME),
    logo: settings.RETAILCRM_MODULE_LOGO as string | undefined,
    publicUrl: settings.PUBLIC_URL as string | undefined,
    clientId: part.settings.clientId as Secret | undefined,
  };
}

function codesOf({ added, moved, unknown }: MergedCodes): Pick<Registered, 'added' | 'moved' | 'unknown'> {
  return { added: added.map(({ code }) => code), moved: moved.map(({ code }) => code), unknown };
}

function render(done: readonly Registered[], dryRun: boolean): string {
  return done
    .flatMap(({ enterprise, module, was, extensions, added, moved, unknown }) => [
      `${enterprise}: the module ${module} ${dryRun ? 'would be' : 'is'} ${was === 'new' ? 'registered' : 'brought up to date'}, with ${extensions} extensions`,
      ...(added.length > 0 ? [`  new: ${added.join(', ')}`] : []),
      ...(moved.length > 0 ? [`  given to another user: ${moved.join(', ')}`] : []),
      ...(unknown.length > 0
        ? [
            `  not registered, for RetailCRM has no such active user: ${unknown.join(', ')}; correct calls.enterprises[].extensions`,
          ]
        : []),
    ])
    .join('\n');
}
