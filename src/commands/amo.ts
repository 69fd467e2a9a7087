import { ExitCode, usageError } from '../base/errors.ts';
import type { IndexProgress } from '../systems/amocrm/effects/people-index.ts';
import { amoBaseUrl, amoSettings } from '../systems/amocrm/settings.ts';
import { accountTables, mappingSkeleton, readAccountMap } from './amo-account.ts';
import { amoAuth } from './amo-auth.ts';
import { amoCheck } from './amo-check.ts';
import type { AmoParts } from './amo-parts.ts';
import { type CommandContext, defineCommand, text } from './define.ts';
import { withAmo } from './with-amo.ts';

export const amoAuthCommand = defineCommand({
  name: 'amo:auth',
  summary: 'Exchanges an authorization code; without one, prints the address to open',
  options: { code: { value: 'code', description: 'from the redirect, good once and for 20 minutes', parse: text } },
  examples: ['amo:auth', 'amo:auth --code def502…'],
  settings: [amoSettings],
  run: (ctx, _args, { code }) =>
    withAmo(ctx, async ({ authorization, memory }, settings) => {
      const context = {
        baseUrl: amoBaseUrl(settings),
        clientId: settings.AMO_CLIENT_ID,
        authorization,
        facts: memory,
        clock: ctx.clock,
        dryRun: ctx.globals.dryRun,
      };
      const result = await amoAuth(context, code === undefined ? {} : { code });
      await ctx.out.result(result, () => {
        if (result.status === 'open') return `${result.address}\n\n${result.next}`;
        if (result.status === 'dry-run') return `Would ${result.would}.`;
        return `Connected; the access token holds until ${result.expires_at ?? 'an unknown time'}.`;
      });
      return undefined;
    }),
});

export const amoCheckCommand = defineCommand({
  name: 'amo:check',
  summary: 'The connection test',
  options: { createTestLead: { description: 'also make one test deal; a later test uses it again' } },
  examples: ['amo:check', 'amo:check --create-test-lead', 'amo:check --json'],
  settings: [amoSettings],
  run: (ctx, _args, { createTestLead }) =>
    withAmo(ctx, async ({ client, authorization, memory }, settings) => {
      const context = { client, authorization, facts: memory, settings, dryRun: ctx.globals.dryRun };
      const { exit, result } = await amoCheck(context, { createTestLead });
      // Scripts read this answer, so that it is JSON on a terminal too.
      ctx.out.line(JSON.stringify(result));
      return exit;
    }),
});

export const amoAccountCommand = defineCommand({
  name: 'amo:account',
  summary: 'Pipelines, stages, users, fields, catalogs with their ids',
  options: { yaml: { description: 'a mapping to start from, with the ids of this account' } },
  examples: ['amo:account', 'amo:account --yaml > mapping.yaml', 'amo:account --json'],
  settings: [amoSettings],
  run: (ctx, _args, { yaml }) =>
    withAmo(ctx, async ({ client }) => {
      const map = await readAccountMap(client);
      if (yaml) {
        ctx.out.line(mappingSkeleton(map));
        return undefined;
      }
      await ctx.out.result(map, async () => {
        const parts = [];
        for (const { title, head, rows } of accountTables(map))
          parts.push(`${title}\n${await ctx.out.table(head, rows)}`);
        return parts.join('\n\n');
      });
      return undefined;
    }),
});

export const amoIndexCommand = defineCommand({
  name: 'amo:index',
  summary: 'Fills the index of contacts and companies, with progress',
  details:
    'Goes on where an earlier fill stopped. Jobs keep the index up to date afterwards.\n\n' +
    'With --match-1c it then writes to each counterparty of 1C that names no contact or company yet the id of the one with ' +
    'its phone, else its e-mail. That reads all counterparties and is slow; it is not advised, for onec:export and ' +
    'onec:import match each client when its turn comes. Where several fit, nothing is written, and all are listed.',
  options: {
    full: { description: 'read everything anew' },
    match1c: { description: '1C: keep the ids of contacts and companies with the counterparties', long: 'match-1c' },
  },
  examples: ['amo:index', 'amo:index --full', '--dry-run amo:index --match-1c'],
  settings: [amoSettings],
  run: async (ctx, _args, { full, match1c }) => {
    if (match1c) {
      const [{ withOnec }, { matchCounterparties }] = await Promise.all([
        import('./with-onec.ts'),
        import('./amo-match-onec.ts'),
      ]);
      return withOnec(ctx, { readOnly: ctx.globals.dryRun }, async (given) => {
        const read = await fillIndex(ctx, given.amo, full);
        return ctx.signal.aborted ? ExitCode.Terminated : matchCounterparties(ctx, given, read);
      });
    }
    if (ctx.globals.dryRun) throw usageError('amo:index does nothing but write; --dry-run has nothing to show');
    return withAmo(ctx, async (amo) => {
      const read = await fillIndex(ctx, amo, full);
      if (ctx.signal.aborted) return ExitCode.Terminated;
      await ctx.out.result({ status: 'done', read }, () => 'The index is complete.');
      return undefined;
    });
  },
});

/** How many of each were read. */
async function fillIndex(
  ctx: CommandContext,
  { bind, index }: Pick<AmoParts, 'bind' | 'index'>,
  full: boolean,
): Promise<Record<string, number>> {
  await bind();
  const read: Record<string, number> = {};
  const report = progress(ctx);
  for (const entity of ['contacts', 'companies'] as const) {
    await index.fill(entity, full, (step) => {
      read[entity] = step.people;
      report(step);
    });
    if (ctx.signal.aborted) break;
  }
  return read;
}

/** On a terminal one line that is written over; in a log a line now and then. */
function progress(ctx: CommandContext): (step: IndexProgress) => void {
  return ({ entity, pages, people, complete }) => {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r${entity}: ${people} read, ${pages} pages${complete ? ', done\n' : ' '}`);
      return;
    }
    if (complete || pages % 20 === 0) ctx.log.info({ entity, pages, people, complete }, 'index');
  };
}
