import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { type AppError, configError } from '../base/errors.ts';
import { type AmoMapping, readAmoMapping } from './mapping-amo.ts';
import type { CallsMapping } from './mapping-calls-types.ts';
import { type KaspiMapping, readKaspiMapping } from './mapping-kaspi.ts';
import type { OnecMapping } from './mapping-onec-types.ts';
import { isMap, map, optional, type Path, pathText, type Reader, withDefault } from './shape.ts';

/** What the operator mapped, with every default filled in. */
export interface Mapping {
  readonly kaspi: KaspiMapping;
  readonly amo: AmoMapping;
  /** Absent: the stream is not configured. */
  readonly onec: OnecMapping | undefined;
  /** Absent: the one enterprise that the environment describes, if it does. */
  readonly calls: CallsMapping | undefined;
}

export interface MappingSource {
  /** As `--mapping` or `MAPPING_FILE` name it; without it `mapping.yaml`, which may be absent. */
  file?: string | undefined;
  /** Where relative paths start: the env file's folder. */
  baseDir: string;
  memory?: MappingMemory;
  /** False: the 1C part is not wanted. It is checked whenever the file has changed, and left unread otherwise. */
  onec?: boolean;
  /** The same of the part of calls. */
  calls?: boolean;
}

/**
 * Keeps what stood in the file that was read last, under its text's hash. To load the YAML parser and run it takes a sixth
 * of an idle pass, which finds the same file every minute.
 */
export interface MappingMemory {
  get(hash: string): Promise<unknown>;
  put(hash: string, value: unknown): Promise<void>;
}

/** Parts whose streams have their own readers elsewhere; here they are let through as they are. */
const elsewhere = optional<true>(() => true);

type Parts = Mapping & Record<'leads' | 'passports' | 'payments', unknown>;

const none: Reader<never> = () => undefined;

/** A shop without 1C, or without telephony, does not load what reads such a part. */
async function readerOf(value: unknown): Promise<Reader<Parts>> {
  const onec: Reader<OnecMapping> = has(value, 'onec') ? (await import('./mapping-onec.ts')).readOnecMapping : none;
  const calls: Reader<CallsMapping> = has(value, 'calls')
    ? (await import('./mapping-calls.ts')).readCallsMapping
    : none;
  return map<Parts>({
    kaspi: withDefault({}, readKaspiMapping),
    amo: withDefault({}, readAmoMapping),
    onec: optional(onec),
    leads: elsewhere,
    passports: elsewhere,
    calls: optional(calls),
    payments: elsewhere,
  });
}

function has(value: unknown, part: 'onec' | 'calls'): boolean {
  return isMap(value) && value[part] !== undefined && value[part] !== null;
}

/**
 * The mapping, read and checked as a whole. A named file that is not there, or any fault, is a configError (78); the
 * faults read `mapping.yaml:12: kaspi.deal.name: …`, all of them at once.
 */
export async function loadMapping({ file, baseDir, memory, onec, calls }: MappingSource): Promise<Mapping> {
  const path = resolve(baseDir, file ?? 'mapping.yaml');
  const text = await readMappingFile(path, file !== undefined);
  if (text === undefined) return await checked(undefined, path, () => 1);
  const hash = createHash('sha256').update(text).digest('hex');
  const kept = await memory?.get(hash);
  const left = { ...(onec === false ? { onec: null } : {}), ...(calls === false ? { calls: null } : {}) };
  const known = await faultless(isMap(kept) ? { ...kept, ...left } : kept);
  if (known !== undefined) return known;
  const { value, mapping } = await parsed(text, path);
  await memory?.put(hash, value ?? {});
  return mapping;
}

/** Where a newer version of the program finds a fault in what was kept, the file is to be read again, for its lines. */
async function faultless(kept: unknown): Promise<Mapping | undefined> {
  if (kept === undefined) return undefined;
  let faults = 0;
  const read = await readerOf(kept);
  const mapping = read(kept, [], () => {
    faults += 1;
  });
  return mapping === undefined || faults > 0 ? undefined : streams(mapping);
}

/** The mapping file's text; undefined where the file is not there and nobody named it. */
export async function readMappingFile(path: string, named: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code === 'ENOENT' && !named) {
      return undefined;
    }
    throw configError(
      'MAPPING_FILE_UNREADABLE',
      code === 'ENOENT'
        ? `The mapping file ${path} does not exist`
        : `The mapping file ${path} cannot be read (${code})`,
      'Check the path given by --mapping or MAPPING_FILE, and that this user may read the file.',
    );
  }
}

/** Throws what `loadMapping` would throw of such a file. */
export async function checkMappingText(text: string, path: string): Promise<void> {
  await parsed(text, path);
}

async function parsed(text: string, path: string): Promise<{ value: unknown; mapping: Mapping }> {
  const { readYaml } = await import('./mapping-yaml.ts');
  const { value, faults, lineOf } = readYaml(text);
  if (faults.length > 0) {
    throw mappingInvalid(
      path,
      faults.map(({ line, message }) => ({ line, text: message })),
    );
  }
  return { value, mapping: await checked(value, path, lineOf) };
}

async function checked(value: unknown, path: string, lineOf: (path: Path) => number): Promise<Mapping> {
  const faults: { line: number; text: string }[] = [];
  const read = await readerOf(value);
  const mapping = read(value ?? {}, [], (at, message) => {
    faults.push({ line: lineOf(at), text: at.length === 0 ? message : `${pathText(at)}: ${message}` });
  });
  if (mapping === undefined || faults.length > 0) {
    throw mappingInvalid(path, faults);
  }
  return streams(mapping);
}

function streams({ kaspi, amo, onec, calls }: Parts): Mapping {
  return { kaspi, amo, onec, calls };
}

function mappingInvalid(path: string, faults: readonly { line: number; text: string }[]): AppError {
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  return configError(
    'MAPPING_INVALID',
    `The mapping file ${path} has ${count}`,
    'Correct the lines that are listed and run the command again; mapping.example.yaml shows every key.',
    faults.toSorted((a, b) => a.line - b.line).map(({ line, text }) => `${basename(path)}:${line}: ${text}`),
  );
}
