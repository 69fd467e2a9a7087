import type { CommandEntry } from '../commands/define.ts';
import { commands } from '../commands/index.ts';
import { jobs } from '../jobs/index.ts';

/** Everything that the program can do: jobs first, as in the help. */
export const entries: readonly CommandEntry[] = [
  ...jobs.map(({ name, summary, load }) => ({
    name,
    summary,
    isJob: true,
    load: async () => {
      const [{ jobCommand }, job] = await Promise.all([import('./job-command.ts'), load()]);
      return jobCommand(job);
    },
  })),
  ...commands,
];
