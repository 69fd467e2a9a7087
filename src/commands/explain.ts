import { ExitCode, usageError } from '../base/errors.ts';
import { cleanValue } from '../base/redact.ts';
import { coreSettings, readSettings } from '../config/settings.ts';
import {
  type Explanation,
  explain,
  explainKinds,
  idExpected,
  parseId,
  type RecordStory,
  type TimelineEntry,
} from '../insight/explain.ts';
import { defineCommand, type Output } from './define.ts';
import { readState } from './open-state.ts';

export const explainCommand = defineCommand({
  name: 'explain',
  summary: 'Everything known of one record: when seen, what was decided, sent and answered, what happens next',
  details: `Kinds: ${explainKinds.join(', ')}. Reads the database alone; phones and e-mails are masked; times are UTC. The exit code is 1 where nothing is known of it.`,
  arguments: [
    { name: 'kind', description: explainKinds.join(', ') },
    {
      name: 'id',
      description:
        "the order's code, the 1C document's number, the call's id, the deal's or contact's number or its address in amoCRM",
    },
  ],
  examples: [
    'explain kaspi-order 1019876543',
    'explain lead 35028413',
    'explain call pbx1:1754220600.17',
    'explain contact 50112233 --json',
  ],
  quiet: true,
  run: async (ctx, [kind = '', text = '']) => {
    const expects = idExpected(kind);
    if (expects === undefined) {
      throw usageError(`There is no kind of record called ${kind}`, `Kinds are ${explainKinds.join(', ')}.`);
    }
    const id = parseId(kind, text);
    if (id === undefined) throw usageError(`This is no id of a ${kind}`, `Expected ${expects}.`);
    const settings = readSettings(ctx.environment, [coreSettings]);
    const found = await readState(ctx, settings, (database) => explain(database, kind, id, ctx.clock.now()));
    // What was planned for amoCRM holds buyers' phones, and what is printed here is pasted into chats.
    const shown = cleanValue(found) as Explanation;
    await ctx.out.result(shown, () => render(shown, ctx.out));
    return found.found ? ExitCode.Ok : ExitCode.SomeFailed;
  },
});

async function render({ kind, id, found, looked_for, records, more, next }: Explanation, out: Output): Promise<string> {
  if (!found)
    return [`${kind} ${id}: nothing is known of it.`, ...looked_for.map((line) => `  ${line}`), next.text].join('\n');
  const parts: string[] = [];
  for (const story of records) parts.push(await storyText(story, out, records.length > 1), '');
  if (more > 0) parts.push(`and ${more} more records`, '');
  return [...parts, `next: ${next.text}`].join('\n');
}

async function storyText(story: RecordStory, out: Output, withNext: boolean): Promise<string> {
  const table = await out.table(['time (UTC)', 'what', 'of what', 'by'], story.timeline.map(row));
  return [`${story.kind} ${story.key}`, table, ...(withNext ? [`next: ${story.next.text}`] : [])].join('\n');
}

function row({ at, event, what, count, by }: TimelineEntry): string[] {
  return [at.slice(0, 19).replace('T', ' '), event, count === 1 ? what : `${what} ×${count}`, by ?? ''];
}
