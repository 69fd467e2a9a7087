import { AMI_SANDBOX_SECRET, AMI_SANDBOX_USER, type AmiStandin, amiStandin } from './ami.ts';
import { type AmocrmStandin, amocrmStandin } from './amocrm.ts';
import { type CdrFile, FIRM_ZONE, knownCallers, lastDay, staffRetailcrm } from './calls-firm.ts';
import { KASPI_SANDBOX_TOKEN, type KaspiStandin, kaspiStandin } from './kaspi.ts';
import { type RunningStandin, serve } from './kit.ts';
import { ONEC_SANDBOX_PASSWORD, ONEC_SANDBOX_PATH, ONEC_SANDBOX_USER, type OnecStandin, onecStandin } from './onec.ts';
import { RETAILCRM_SANDBOX_KEY, type RetailcrmStandin, retailcrmStandin } from './retailcrm.ts';
import { SMTP_SANDBOX_PASS, SMTP_SANDBOX_USER, type SmtpStandin, smtpStandin } from './smtp.ts';
import { TELEGRAM_SANDBOX_CHAT, TELEGRAM_SANDBOX_TOKEN, type TelegramStandin, telegramStandin } from './telegram.ts';

export interface Running {
  kaspi: RunningStandin<KaspiStandin>;
  amo: RunningStandin<AmocrmStandin>;
  onec: RunningStandin<OnecStandin>;
  retail: RunningStandin<RetailcrmStandin>;
  /** Speaks AMI at `standin.port`; its `url` is for `/__sandbox/` alone. */
  ami: RunningStandin<AmiStandin>;
  /** The PBX's call records; gone after `close`. */
  cdr: CdrFile;
  telegram: RunningStandin<TelegramStandin>;
  /** Takes mail at `standin.port`; its `url` is for `/__sandbox/` alone. */
  smtp: RunningStandin<SmtpStandin>;
  close(): Promise<void>;
}

export interface SandboxOptions {
  /** 0 = a free port. */
  kaspiPort?: number;
  amoPort?: number;
  onecPort?: number;
  retailPort?: number;
  /** How many calls the PBX had in the last day. */
  calls?: number;
  /** Where its records shall stand: a SQLite file that is not there yet; else one in a temporary folder. */
  cdrFile?: string | undefined;
}

/** Every stand-in that there is, on loopback. Throws a usage error where the file of call records cannot be made. */
export async function startSandbox({ calls = 60, cdrFile, ...ports }: SandboxOptions = {}): Promise<Running> {
  const cdr = lastDay(calls, cdrFile);
  try {
    return await serveAll(cdr, ports);
  } catch (error) {
    cdr.close();
    throw error;
  }
}

async function serveAll(
  cdr: CdrFile,
  { kaspiPort = 0, amoPort = 0, onecPort = 0, retailPort = 0 }: Omit<SandboxOptions, 'calls' | 'cdrFile'>,
): Promise<Running> {
  const kaspi = await serve(kaspiStandin(), kaspiPort);
  const amo = await serve(amocrmStandin(), amoPort);
  const onec = await serve(onecStandin(), onecPort);
  const retail = await serve(retailcrmStandin(), retailPort);
  staffRetailcrm(retail.standin);
  knownCallers(retail.standin, cdr.script);
  const pbx = await amiStandin();
  const ami = await serve(pbx);
  const telegram = await serve(telegramStandin());
  const mailServer = await smtpStandin();
  const smtp = await serve(mailServer);
  const close = async () => {
    const stops = [kaspi, amo, onec, retail, ami, pbx, telegram, smtp, mailServer].map((each) => each.close());
    cdr.close();
    await Promise.all(stops);
  };
  return { kaspi, amo, onec, retail, ami, cdr, telegram, smtp, close };
}

/** The settings that point sdelka at the stand-ins; nothing in them is worth hiding. */
export function sandboxEnv({ kaspi, amo, onec, retail, ami, cdr, telegram, smtp }: Running): string {
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
    `ONEC_ODATA_URL=${onec.url}${ONEC_SANDBOX_PATH}`,
    `ONEC_USER=${ONEC_SANDBOX_USER}`,
    `ONEC_PASSWORD=${ONEC_SANDBOX_PASSWORD}`,
    'ONEC_TIMEZONE=Europe/Moscow',
    `RETAILCRM_API_URL=${retail.url}`,
    `RETAILCRM_API_KEY=${RETAILCRM_SANDBOX_KEY}`,
    'RETAILCRM_SITE=shop',
    `CDR_URL=sqlite:${cdr.file}`,
    `PBX_TIMEZONE=${FIRM_ZONE}`,
    'RECORDINGS_BASE_URL=https://pbx.sandbox.example/recordings/',
    'ASTERISK_AMI_HOST=127.0.0.1',
    `ASTERISK_AMI_PORT=${ami.standin.port}`,
    `ASTERISK_AMI_USER=${AMI_SANDBOX_USER}`,
    `ASTERISK_AMI_SECRET=${AMI_SANDBOX_SECRET}`,
    `# A call to listen to: POST {"play":"in-answered"} to ${ami.url}/__sandbox/seed`,
    `TELEGRAM_API_URL=${telegram.url}`,
    `ALERT_TELEGRAM_BOT_TOKEN=${TELEGRAM_SANDBOX_TOKEN}`,
    `ALERT_TELEGRAM_CHAT_ID=${TELEGRAM_SANDBOX_CHAT}`,
    `# What came by mail: ${smtp.url}/__sandbox/state`,
    'ALERT_EMAIL_TO=owner@sandbox.example',
    'ALERT_EMAIL_FROM=sdelka@sandbox.example',
    'ALERT_EMAIL_SMTP_HOST=127.0.0.1',
    `ALERT_EMAIL_SMTP_PORT=${smtp.standin.port}`,
    `ALERT_EMAIL_SMTP_USER=${SMTP_SANDBOX_USER}`,
    `ALERT_EMAIL_SMTP_PASS=${SMTP_SANDBOX_PASS}`,
    '',
  ].join('\n');
}
