import { AppError, ExitCode } from '../base/errors.ts';
import { RemoteError } from '../base/remote-error.ts';
import type { AmocrmClient } from '../systems/amocrm/client.ts';
import type { AmoAuthorization } from '../systems/amocrm/tokens.ts';
import type { NewDeal } from '../systems/amocrm/write.ts';
import type { Facts } from './amo-auth.ts';

export interface AmoCheckContext {
  client: AmocrmClient;
  authorization: AmoAuthorization;
  facts: Facts;
  settings: {
    AMO_PIPELINE_ID?: number | undefined;
    AMO_STATUS_ID?: number | undefined;
    AMO_RESPONSIBLE_USER_ID?: number | undefined;
  };
  dryRun: boolean;
}

/** What scripts read; the names of its keys are part of the operator's contract. */
export type AmoCheckResult =
  | {
      status: 'success';
      account: { id: number; name: string; subdomain: string; timezone: string | undefined };
      token: { kind: string; expires_at: string | undefined; hours_left: number | undefined };
      amo_lead_id?: number;
      /** `planned`: a dry run, and there is none yet. */
      lead?: 'made' | 'reused' | 'planned';
    }
  | {
      status: 'error';
      code: string;
      message: string;
      hint: string | undefined;
      http_status: number | undefined;
      request_id: string | undefined;
    };

/** Known by its name where a lost answer or a new database hid its id, so that there is never a second one. */
export const TEST_DEAL_NAME = 'sdelka: connection test';
const TEST_DEAL_FACT = 'amo_test_deal';

/** The connection test: asks for the account and, with `createTestLead`, sees to one test deal. A failure is a result too, with its exit code; only a defect is thrown. */
export async function amoCheck(
  context: AmoCheckContext,
  options: { createTestLead: boolean },
): Promise<{ exit: ExitCode; result: AmoCheckResult }> {
  try {
    const account = await context.client.getAccount(['datetime_settings']);
    const deal = options.createTestLead ? await testDeal(context, account.id) : {};
    const life = await context.authorization.life();
    const { id, name, subdomain, timezone } = account;
    const token = { kind: life.kind, expires_at: life.expiresAt?.toISOString(), hours_left: life.hoursLeft };
    const result: AmoCheckResult = { status: 'success', account: { id, name, subdomain, timezone }, token, ...deal };
    return { exit: ExitCode.Ok, result };
  } catch (error) {
    if (!(error instanceof AppError) || error.kind === 'bug') throw error;
    return { exit: error.exit, result: diagnosis(error) };
  }
}

function diagnosis(error: AppError): AmoCheckResult {
  const remote = error instanceof RemoteError ? error : undefined;
  return {
    status: 'error',
    code: error.code,
    message: error.message,
    hint: error.hint,
    http_status: remote?.status,
    request_id: remote?.requestId,
  };
}

type TestDealContext = Pick<AmoCheckContext, 'client' | 'facts' | 'settings' | 'dryRun'>;

/** The one test deal of the account, found or made. */
export async function testDeal(
  context: TestDealContext,
  accountId: number,
): Promise<{ amo_lead_id?: number; lead: 'made' | 'reused' | 'planned' }> {
  const present = (await rememberedDeal(context, accountId)) ?? (await dealByName(context.client));
  if (present === undefined && context.dryRun) return { lead: 'planned' };
  const id = present ?? (await makeDeal(context));
  if (!context.dryRun) await context.facts.setFact(TEST_DEAL_FACT, JSON.stringify({ account: accountId, id }));
  return { amo_lead_id: id, lead: present === undefined ? 'made' : 'reused' };
}

/** The deal of an earlier check, where it still exists and belongs to this account. */
async function rememberedDeal(context: TestDealContext, accountId: number): Promise<number | undefined> {
  const kept = await context.facts.fact(TEST_DEAL_FACT);
  const { account, id } = kept === undefined ? {} : (JSON.parse(kept) as { account?: unknown; id?: unknown });
  if (account !== accountId || typeof id !== 'number') return undefined;
  return (await context.client.dealsByIds([id])).has(id) ? id : undefined;
}

/** The search finds old ones, the newest-first list those that the search index does not show yet. */
async function dealByName(client: AmocrmClient): Promise<number | undefined> {
  const newest = { by: 'created_at', direction: 'desc' } as const;
  for (const query of [
    { page: 1, query: TEST_DEAL_NAME },
    { page: 1, order: newest },
  ]) {
    const { rows } = await client.listDeals(query);
    const found = rows.find((deal) => isTestDealName(deal.name) && !deal.isDeleted);
    if (found) return found.id;
  }
  return undefined;
}

/** A probe that was killed has left its mark behind the name. */
function isTestDealName(name: string): boolean {
  return name === TEST_DEAL_NAME || name.startsWith(`${TEST_DEAL_NAME} (`);
}

async function makeDeal(context: TestDealContext): Promise<number> {
  const { AMO_PIPELINE_ID, AMO_STATUS_ID, AMO_RESPONSIBLE_USER_ID } = context.settings;
  const deal: NewDeal = {
    requestId: 'test',
    name: TEST_DEAL_NAME,
    ...(AMO_PIPELINE_ID === undefined ? {} : { pipelineId: AMO_PIPELINE_ID }),
    ...(AMO_STATUS_ID === undefined ? {} : { statusId: AMO_STATUS_ID }),
    ...(AMO_RESPONSIBLE_USER_ID === undefined ? {} : { responsibleUserId: AMO_RESPONSIBLE_USER_ID }),
  };
  const id = (await context.client.createDeals([deal])).get('test');
  if (id !== undefined) return id;
  throw new AppError({
    code: 'AMO_TEST_DEAL_LOST',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: 'amoCRM did not say which deal it made',
    hint: 'Run the check again: it looks for the deal by its name first.',
  });
}
