import { entries } from './registry.ts';
import { runCli } from './run.ts';

// Not awaited, for the build makes CommonJS of it; it ends the process by itself, whatever happens.
void runCli(entries);
