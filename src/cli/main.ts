import { entries } from './registry.ts';
import { runCli } from './run.ts';

await runCli(entries);
