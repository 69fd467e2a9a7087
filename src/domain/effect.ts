import type { Json } from '../base/schema.ts';

/** The record that an effect belongs to, as `explain` and `failed` name it, e.g. kind `kaspi-order`, key `1019876543`. */
export interface RecordRef {
  kind: string;
  key: string;
}

/** One intended write at a target: data, printed in a dry run, stored in the outbox otherwise. */
export interface Effect {
  /** The idempotency key: same key, same write. A create's key names the thing (`amocrm:deal:kaspi:1019876543`), never its state or job. */
  key: string;
  /** Which handler carries it out, e.g. `amocrm.deal`. */
  kind: string;
  record: RecordRef;
  /** Keys of effects whose remote ids this one needs. */
  needs: readonly string[];
  payload: Json;
  /** An update's place in the history of its link; creates have none. */
  revises?: Revision;
}

/** An update is known by (link, revision): price 100 → 90 → 100 is three changes, so its value cannot be its key. */
export interface Revision {
  link: string;
  revision: number;
  /** What is asked for from then on; kept with the link. */
  planned: Json;
  /** Keys of other effects that this change makes needless where they are not begun yet; those that are go first. */
  supersedes?: readonly string[];
}

/** What the links know of a thing at a target. */
export interface LinkState {
  key: string;
  remoteId: string;
  /** What was last written there, as far as is known. */
  applied: Json;
  /** What was last asked for. */
  planned: Json;
  revision: number;
  /** An older update that is on its way and can no longer be replaced. */
  underWay?: { key: string; payload: Json };
  /** An update since the last one that was done has left us and was not finished: a part of it may have taken effect. */
  interrupted?: boolean;
}

/** What a record asks for. `problem` keeps the record among the failed ones although its effects go out. */
export interface Plan {
  record: RecordRef;
  effects: readonly Effect[];
  problem?: string;
  /** When the record came to be, ISO-8601: older than the database, it may stand at the target already. */
  since?: string;
}

/** An effect as the outbox holds it. Times are ISO-8601 UTC. */
export interface OutboxRow {
  id: number;
  key: string;
  kind: string;
  record: RecordRef;
  needs: readonly string[];
  payload: Json;
  /** How often its outcome was unknown; batches with such rows are made smaller. */
  doubts: number;
  looks: number;
  attempts: number;
  /** Looked for at the target before it is sent for the first time. */
  lookFirst: boolean;
  sentAt: string | null;
  createdAt: string;
}

/** Which remote id stands for a local key; `applied` is what was last written there. */
export interface Link {
  key: string;
  kind: string;
  remoteId: string;
  applied?: Json;
}
