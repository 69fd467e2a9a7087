import type { RemoteError } from '../base/remote-error.ts';
import type { Json } from '../base/schema.ts';
import type { Effect, Link, OutboxRow } from './effect.ts';

/** An effect about to be carried out: its row, and the remote ids of what it needs. */
export interface Delivery {
  row: OutboxRow;
  /** key → remote id, for every key in `row.needs`. */
  ids: ReadonlyMap<string, string>;
  /** A look must reach back to here: the earliest moment at which the thing can have been made. */
  since: Date;
}

/** The thing stands at the target. Further links are bound beside the effect's own key. */
export interface Found {
  remoteId: string;
  applied?: Json;
  links?: readonly Link[];
  reports?: readonly Report[];
}

/** What people should know of an effect that was done otherwise than asked: opened as an alert, once for a subject. */
export interface Report {
  kind: string;
  subject: string;
  message: string;
}

export type Outcome =
  | ({ state: 'done' } & Found)
  | { state: 'refused'; reason: string }
  /** A refused detail was left out of the payload; the rest goes again. `kind` is the alert's, `mapping` by default; `extra` tells of it at the target. */
  | {
      state: 'amended';
      payload: Json;
      alert: { kind?: string; subject: string; message: string };
      extra?: readonly Effect[];
    }
  /** Innocent, but refused with the batch: goes again at once. */
  | { state: 'again' }
  /** What it needs is gone at the target: the needed effects are made anew first. */
  | { state: 'renew'; keys: readonly string[]; reason: string };

/** A look's answer; `unknown` where the look could not be had or cannot be trusted. */
export type Look = ({ state: 'found' } & Found) | { state: 'absent' } | { state: 'unknown'; reason: string };

export type ById<T> = ReadonlyMap<number, T>;

/** How effects of one kind are carried out at one system. Kinds are delivered in the order of the registry. */
export interface EffectHandler {
  kind: string;
  /** The largest batch that the target takes in one request. */
  batch: number;
  /** Where this target needs longer than the others: the quiet time before a look, and the longest that a request may run there. */
  quietMs?: number;
  requestMs?: number;
  /** What it needs is not indispensable: where that was refused for good, the effect goes without it. */
  goesWithout?: boolean;
  /** Which figure of the run a delivered effect adds to. */
  counts?: 'created' | 'updated';
  /** A thing that other effects may want as well, e.g. the contact with this phone. */
  reservation?(payload: Json): string | undefined;
  /** The key of the thing that this one hangs on: where this run has made it, nothing can hang there yet. */
  hangsOn?(payload: Json): string;
  /** The earliest moment at which the thing can have been made, where the payload knows it. */
  since?(payload: Json): Date | undefined;
  /** Read-only: which effects are already true at the target, with no request where the links tell. */
  known?(deliveries: readonly Delivery[]): Promise<ById<Found>>;
  /** One batched request; `onSend` is handed to it. Errors are `RemoteError`s. */
  send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<ById<Outcome>>;
  /** Reads a refusal (400, 422) of the whole batch: which items are to blame. Empty: not told. */
  judge?(error: RemoteError, deliveries: readonly Delivery[]): ById<Outcome>;
  /** Read-only: looks effects up whose outcome is unknown. */
  look(deliveries: readonly Delivery[]): Promise<ById<Look>>;
  /** Read-only, after the last batch: effects that turn out not to be true although the target said so. */
  verify?(deliveries: readonly Delivery[]): Promise<readonly number[]>;
  /** For people: what the effect would do, field by field. */
  describe(payload: Json): Record<string, Json>;
}
