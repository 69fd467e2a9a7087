import type { SandboxAnswer } from '../kit.ts';
import * as check from './checks.ts';
import { type AdditionalCode, asFields, type Fields, type IntegrationModule } from './model.ts';
import { type Call, created, demandNoFaults, type Faults, notFound, objectParameter, ok } from './wire.ts';
import type { World } from './world.ts';

/** No `actions`: an integrator's were refused as a wrong choice. */
const WRITABLE: Readonly<Record<string, check.Check>> = {
  code: check.filled,
  integrationCode: check.filled,
  active: check.yesNo,
  name: check.filled,
  logo: (value) => (typeof value === 'string' && value.endsWith('.svg') ? undefined : 'The logo must be an SVG file.'),
  baseUrl: check.filled,
  clientId: check.filled,
  accountUrl: check.filled,
  integrations: check.map,
};

const TELEPHONY: Readonly<Record<string, check.Check>> = {
  makeCallUrl: check.text,
  changeUserStatusUrl: check.text,
  allowEdit: check.yesNo,
  inputEventSupported: check.yesNo,
  outputEventSupported: check.yesNo,
  hangupEventSupported: check.yesNo,
  additionalCodes: check.list,
  externalPhones: check.list,
};

export function codesOf(module: IntegrationModule): readonly AdditionalCode[] {
  return module.integrations.telephony?.additionalCodes ?? [];
}

/** Active modules with telephony; without one, events and uploads are refused. */
export function telephonyModules(world: World): IntegrationModule[] {
  return [...world.modules.values()].filter(
    ({ active, integrations }) => active && integrations.telephony !== undefined,
  );
}

/** Whose extension it is; undefined where the account does not know it. */
export function userByCode(world: World, code: string): number | undefined {
  const found = telephonyModules(world)
    .flatMap(codesOf)
    .find((one) => one.code === code);
  return found && Number(found.userId);
}

/** `additionalCodes` as they are kept; faults where one names no user or no code. */
function readCodes(world: World, given: unknown, faults: Faults): AdditionalCode[] {
  if (!Array.isArray(given)) return [];
  return given.map((item, index) => {
    const { userId, code } = asFields(item) ?? {};
    if (!world.users.has(Number(userId)) || typeof code !== 'string' || code === '') {
      faults[`integrations.telephony.additionalCodes[${index}]`] = 'This value is not valid.';
    }
    return { userId: Number(userId), code: String(code) };
  });
}

/** What stands there after an edit; throws where the edit is refused. The list of extensions is replaced, never added to. */
export function applyModule(world: World, code: string, given: Fields): IntegrationModule {
  const before = world.modules.get(code);
  const required = before ? [] : ['name', 'logo', 'baseUrl', 'clientId'];
  const faults = check.faultsOf(WRITABLE, given, world, required);
  if (given.code !== undefined && given.code !== code) faults.code = 'The code differs from the one in the address.';
  const telephony = asFields(asFields(given.integrations)?.telephony);
  if (telephony) {
    for (const [field, fault] of Object.entries(check.faultsOf(TELEPHONY, telephony, world))) {
      faults[`integrations.telephony.${field}`] = fault;
    }
  }
  const codes = readCodes(world, telephony?.additionalCodes, faults);
  demandNoFaults(faults);
  const old = before?.integrations.telephony;
  const kept = telephony?.additionalCodes === undefined && world.options.codesWhenAbsent === 'kept';
  const merged = telephony && { ...old, ...telephony, additionalCodes: kept ? (old?.additionalCodes ?? []) : codes };
  const module: IntegrationModule = {
    integrationCode: code,
    active: true,
    ...before,
    ...given,
    code,
    integrations: merged ? { telephony: merged } : (before?.integrations ?? {}),
  };
  world.modules.set(code, module);
  return module;
}

export function getModule({ world, params }: Call): SandboxAnswer {
  const module = world.modules.get(params.key ?? '');
  if (!module) throw notFound();
  const shown = structuredClone(module);
  const { telephony } = shown.integrations;
  if (telephony && world.options.stringIds) {
    telephony.additionalCodes = codesOf(shown).map(({ userId, code }) => ({ userId: String(userId), code }));
  }
  return ok({ integrationModule: { ...shown, integrations: world.phpMap(shown.integrations) } });
}

export function postModuleEdit(call: Call): SandboxAnswer {
  const code = call.params.key ?? '';
  const isNew = !call.world.modules.has(code);
  applyModule(call.world, code, objectParameter(call, 'integrationModule'));
  return isNew ? created({ info: [] }) : ok({ info: [] });
}
