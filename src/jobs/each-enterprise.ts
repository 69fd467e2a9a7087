import { eachOne } from '../runner/each-one.ts';
import type { CallsJobContext, EnterpriseAccess } from './calls-access.ts';

/** One enterprise after the other; a PBX or an account that is down or refuses us is told of, and keeps back its own work alone. */
export function eachEnterprise(
  { clients, log, signal }: CallsJobContext,
  work: (access: EnterpriseAccess) => Promise<void>,
): Promise<void> {
  const told = ({ enterprise }: EnterpriseAccess, { code, message }: { code: string; message: string }) =>
    log.warn({ enterprise: enterprise.number, code, reason: message }, 'an enterprise was not read');
  return eachOne(clients.enterprises, { signal, told }, work);
}
