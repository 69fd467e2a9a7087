import { ExitCode, usageError } from '../../base/errors.ts';
import { lookback, parseLookback } from '../../config/lookback.ts';
import { usableOnec } from '../../jobs/onec-reading.ts';
import { emptyCounts } from '../../runner/run-job.ts';
import { amoSettings } from '../../systems/amocrm/settings.ts';
import { onecSettings } from '../../systems/onec/settings.ts';
import { type CommandContext, defineCommand, names } from '../define.ts';
import { jobTables } from '../job-tables.ts';
import { type OnecAtHand, withOnec } from '../with-onec.ts';
import { listDeals } from './deals.ts';
import { listDocuments } from './documents.ts';
import { dealsText, documentsText, painter } from './text.ts';

/** What an export reads of a document and cannot do without; so neither can this list. */
const NEEDS = { kinds: ['workOrder', 'customerOrder'], properties: ['lead', 'client', 'item', 'exportedAt'] } as const;

export const onecListCommand = defineCommand({
  name: 'onec:list',
  summary: 'The documents of the window and their exchange state, as the 1C form showed them',
  details:
    'Reads only. + before the number: never exported, ~: changed since. On a terminal such numbers are magenta, ' +
    'customer orders green, and missing ids of amoCRM stand on red.\n\n' +
    'With --deals the other direction: the deals of the window, their documents, and what onec:import would do.',
  options: {
    lookback: {
      value: 'depth',
      description: 'the window: 0 = since 00:00, N days, 90m, 6h, 3d (ONEC_EXPORT_LOOKBACK, ONEC_IMPORT_LOOKBACK)',
      parse: (value: string) => {
        const { expects, parse } = lookback();
        if (parse(value) === undefined) throw usageError(`expected ${expects}`);
        return value;
      },
    },
    ids: {
      value: 'number,…',
      description: 'only these documents, by number or reference; with --deals: these deals, by id',
      parse: names,
    },
    exportable: { description: 'leave out what an export would leave alone' },
    lines: { description: 'also the goods and works of the documents' },
    deals: { description: "deals instead of documents: the import's side" },
  },
  examples: [
    'onec:list',
    'onec:list --lookback 1 --exportable',
    'onec:list --ids ТК000001281 --lines',
    'onec:list --deals',
  ],
  settings: [onecSettings, amoSettings],
  run: (ctx, _args, options) => {
    const { deals, lines, exportable } = options;
    if (deals && (lines || exportable)) throw usageError('--lines and --exportable are of documents, not of deals');
    return withOnec(ctx, { readOnly: true }, (given) =>
      deals ? showDeals(ctx, given, options) : showDocuments(ctx, given, options),
    );
  },
});

interface Wanted {
  lookback: string | undefined;
  ids: readonly string[] | undefined;
}

async function showDocuments(
  ctx: CommandContext,
  { onec, settings, database }: OnecAtHand,
  { lookback: depth, ids, exportable, lines }: Wanted & { exportable: boolean; lines: boolean },
): Promise<ExitCode> {
  const now = ctx.clock.now();
  const range = { from: parseLookback(depth ?? settings.ONEC_EXPORT_LOOKBACK, now, onec.zone), to: now };
  const usable = await usableOnec(onec, NEEDS, ctx.log);
  const listing = await listDocuments(usable, database.db, { range, only: ids });
  const shown = exportable ? listing.documents.filter(({ exchange }) => exchange !== 'exchanged') : listing.documents;
  const documents = lines ? shown : shown.map(({ lines: _lines, ...document }) => document);
  const dropped = listing.documents.length - shown.length;
  await ctx.out.result({ documents, left_out: dropped, problems: listing.problems }, () =>
    documentsText(
      { ...listing, documents: shown },
      { lines, dropped, out: ctx.out, paint: painter(ctx.globals.color) },
    ),
  );
  return listing.problems.length > 0 ? ExitCode.SomeFailed : ExitCode.Ok;
}

async function showDeals(
  ctx: CommandContext,
  { onec, amo, settings, mapping, database }: OnecAtHand,
  { lookback: depth, ids }: Wanted,
): Promise<ExitCode> {
  const { clock, log, signal } = ctx;
  const now = clock.now();
  const windowStart = parseLookback(depth ?? settings.ONEC_IMPORT_LOOKBACK, now, onec.zone);
  const counts = emptyCounts();
  await amo.bind();
  const context = {
    clients: { onec, amocrm: async () => ({ client: amo.client, memory: amo.memory }) },
    ...{ settings, mapping, clock, now, windowStart, log, signal, counts },
    tables: jobTables(database, clock, true),
    flags: new Set<string>(),
    ...(ids === undefined ? {} : { only: ids }),
    adopting: false,
    eachPage: () => Promise.resolve(),
  };
  const deals = await listDeals(context, database, { from: windowStart, to: now });
  await ctx.out.result({ deals }, () => dealsText(deals, { out: ctx.out, paint: painter(ctx.globals.color) }));
  return ids !== undefined && deals.length < ids.length ? ExitCode.SomeFailed : ExitCode.Ok;
}
