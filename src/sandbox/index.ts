import { type AmocrmStandin, amocrmStandin } from './amocrm.ts';
import { KASPI_SANDBOX_TOKEN, type KaspiStandin, kaspiStandin } from './kaspi.ts';
import { type RunningStandin, serve } from './kit.ts';

export interface Running {
  kaspi: RunningStandin<KaspiStandin>;
  amo: RunningStandin<AmocrmStandin>;
  close(): Promise<void>;
}

export interface SandboxOptions {
  /** 0 = a free port. */
  kaspiPort?: number;
  amoPort?: number;
}

/** Every stand-in that there is, on loopback. */
export async function startSandbox({ kaspiPort = 0, amoPort = 0 }: SandboxOptions = {}): Promise<Running> {
  const kaspi = await serve(kaspiStandin(), kaspiPort);
  const amo = await serve(amocrmStandin(), amoPort);
  return {
    kaspi,
    amo,
    close: async () => {
      await Promise.all([kaspi.close(), amo.close()]);
    },
  };
}

/** The settings that point sdelka at the stand-ins; nothing in them is worth hiding. */
export function sandboxEnv({ kaspi, amo }: Running): string {
  const token = amo.standin.credentials().long_lived_token;
  return [
    '# Points sdelka at the sandbox; the tokens open nothing else.',
    'DATABASE_URL=sqlite:sandbox.db',
    `KASPI_API_URL=${kaspi.url}/shop/api/v2`,
    `KASPI_API_TOKEN=${KASPI_SANDBOX_TOKEN}`,
    `AMO_BASE_URL=${amo.url}`,
    `AMO_LONG_LIVED_TOKEN=${token}`,
    'AMO_PIPELINE_ID=10226282',
    'AMO_STATUS_ID=80953554',
    'AMO_RESPONSIBLE_USER_ID=12380450',
    'AMO_CATALOG_ID=5501',
    '',
  ].join('\n');
}
