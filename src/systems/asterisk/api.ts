import type { Secret } from '../../base/secret.ts';
import type { CdrRow } from '../../domain/call.ts';

/** Where the call records of one PBX are and how they are to be read. */
export interface CdrPlace {
  /** `postgres://…`, `mysql://…` (MariaDB as well), `sqlite:PATH` or `csv:PATH`; holds the password. */
  url: Secret;
  /** Where relative paths start. */
  baseDir: string;
  /** Code of the PBX host; goes into every row. */
  host: string;
  /** SQL only: `cdr`, or `schema.cdr`. */
  table: string;
  /** IANA zone of the PBX's local times. */
  zone: string;
  /** CSV only: columns in their order; absent: as cdr_csv writes 18 of them. */
  columns?: readonly string[] | undefined;
  signal: AbortSignal;
}

/** What a doctor wants to know of call records. */
export interface CdrAbout {
  /** Columns that the source has, in its own spelling. */
  columns: readonly string[];
  /** UTC; absent where there is no row. */
  newest: Date | undefined;
}

/**
 * The call records of one PBX host, read-only. Everything throws `RemoteError` of the system `pbx`: unreachable (69), refused
 * (77), no such table or a column missing that cannot be done without (78).
 */
export interface CdrSource {
  /**
   * Rows that start in [from, to), in order of their start, in chunks of at most some thousand; no more than a chunk of SQL's
   * rows is held in memory at a time, and of a file no more than the range's.
   */
  rows(range: { from: Date; to: Date }): AsyncGenerator<readonly CdrRow[]>;
  /** All rows of one call, by linkedid or, where the source has none, by uniqueid. */
  rowsOf(linkedid: string): Promise<CdrRow[]>;
  about(): Promise<CdrAbout>;
  /** How many rows were left out since the opening: no readable start, no uniqueid, a broken line. */
  readonly skipped?: number;
  close(): Promise<void>;
}
