import type { Clock } from '../base/clock.ts';
import { AppError, assert, ExitCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { RemoteError } from '../base/remote-error.ts';
import type { Effect, OutboxRow } from '../domain/effect.ts';
import type { ById, Delivery, EffectHandler, Found, Look, Outcome } from '../domain/handler.ts';
import { openAlert } from '../state/alerts.ts';
import type { Database, Tx } from '../state/database.ts';
import { forgetFailed, keepFailed, nextAttemptAt } from '../state/failed-records.ts';
import { remoteIds, saveLinks } from '../state/links.ts';
import {
  amendEffect,
  claimEffects,
  clearLookFirst,
  countChanges,
  doubtEffects,
  doubtfulEffects,
  failEffect,
  finishEffect,
  inheritEffects,
  lookedInVain,
  markSending,
  nextLookAt,
  postponeLook,
  readyEffects,
  refusedKeys,
  releaseEffects,
  renewEffects,
  storeEffects,
} from '../state/outbox.ts';

/** What a run counts; the columns of `runs` and `daily_stats`. */
export interface Counts {
  fetched: number;
  created: number;
  updated: number;
  skipped: number;
  failed: number;
}

export interface DeliveryOptions {
  database: Database;
  job: string;
  runId: number;
  clock: Clock;
  signal: AbortSignal;
  log: Logger;
  counts: Counts;
  handlers: readonly EffectHandler[];
  /** Quiet time before an effect in doubt is looked up. */
  quietMs: number;
  /** The longest that a request may still be under way at the target after it was sent. */
  requestMs: number;
  /** How many existing records a run may change; 0 = any number. */
  maxChanges: number;
  /** Checks that the job's lock is still held. */
  guard: () => Promise<void>;
  /** Stores what the job's own tables show of an effect, in the transaction that marks it done. */
  settled?: (tx: Tx, row: OutboxRow, remoteId: string, now: Date) => Promise<void>;
}

const CHUNK = 500;
/** Rows of one first look: a look walks through lists, so that few large ones cost less than many small ones. */
const LOOK_CHUNK = 2500;
/** Delivered effects are read back in such portions at the latest, since they are held in memory until then. */
const VERIFY_CHUNK = 2500;
/** So many requests in a row whose outcome is unknown end the run: the target is ill. */
const DOUBTS_IN_A_ROW = 3;
/** Failures that may be one route's own; the others (credentials, limits, the breaker) concern the whole system. */
const ONE_ROUTE: ReadonlySet<string> = new Set([
  'REMOTE_FAILING',
  'REMOTE_ODD_ANSWER',
  'REMOTE_REFUSED',
  'REMOTE_UNREACHABLE',
]);
/** Doubts that fall due within this time are settled by the run itself instead of the next tick. */
const WAIT_FOR_LOOK_MS = 5_000;
const WAITS = 6;
/** An effect that the target acknowledges but never shows is sent so often at most. */
const VERIFY_ROUNDS = 3;
/** Their clocks and ours may differ by this much when a look walks back past the time of sending. */
const SKEW_MS = 5 * 60_000;

/** Carries out what the outbox holds for a job: doubts first, then kind by kind in the largest batches. */
export async function deliver(options: DeliveryOptions): Promise<void> {
  await new Deliverer(options).run();
}

class Deliverer {
  private readonly o: DeliveryOptions;
  /** Keys of things made by this run: nothing can hang on them yet. */
  private readonly made = new Set<string>();
  /** Row id → what its reservation's key stood for when the thing was looked for. */
  private readonly bound = new Map<number, string | undefined>();
  private doubtsInARow = 0;
  /** What kept one kind back while the others went on; ends the run. A second one ends it at once. */
  private failure: RemoteError | undefined;

  constructor(options: DeliveryOptions) {
    this.o = options;
  }

  private quietMs(handler: EffectHandler | undefined): number {
    return handler?.quietMs ?? this.o.quietMs;
  }

  private get now(): Date {
    return this.o.clock.now();
  }

  async run(): Promise<void> {
    const { database, job, runId } = this.o;
    const lookAt = (kind: string, sentAt: Date) => {
      const handler = this.o.handlers.find((one) => one.kind === kind);
      return new Date(sentAt.getTime() + (handler?.requestMs ?? this.o.requestMs) + this.quietMs(handler));
    };
    const left = await database.transaction((tx) => inheritEffects(tx, job, runId, lookAt));
    if (left.claimed + left.sending > 0) this.o.log.warn(left, 'an earlier run ended in the middle of its writes');
    await this.refuseTooManyChanges();
    for (let waits = 0; ; waits++) {
      for (const handler of this.o.handlers) await this.orNext(() => this.settleDoubts(handler));
      for (const handler of this.o.handlers) await this.orNext(() => this.deliverKind(handler));
      if (this.failure !== undefined || waits >= WAITS || !(await this.waitForLook())) break;
    }
    await this.countDoubts();
    if (this.failure !== undefined) throw this.failure;
  }

  /** One route that fails keeps back what needs it and nothing else: deals go out although the catalog cannot be read. */
  private async orNext(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const mayGoOn = error instanceof RemoteError && ONE_ROUTE.has(error.code);
      if (!mayGoOn || this.failure !== undefined || this.doubtsInARow >= DOUBTS_IN_A_ROW) throw error;
      this.failure = error;
    }
  }

  /** Only where a person set a limit on changes: creates are what the job is for, changes are what can go wrong at scale. */
  private async refuseTooManyChanges(): Promise<void> {
    const { maxChanges, database, job } = this.o;
    if (maxChanges === 0) return;
    let wanted = 0;
    for (const handler of this.o.handlers) {
      if (handler.counts === 'updated') wanted += await countChanges(database.db, job, handler.kind);
    }
    if (wanted <= maxChanges) return;
    const message = `${job} would change ${wanted} records, more than MAX_CHANGES_PER_RUN (${maxChanges}); nothing was written`;
    await database.transaction((tx) => openAlert(tx, 'max_changes', job, message, this.now));
    throw new AppError({
      code: 'TOO_MANY_CHANGES',
      kind: 'operator',
      exit: ExitCode.SomeFailed,
      message,
      hint: `Look at them with --dry-run; then run ${job} --confirm.`,
    });
  }

  /** True where a doubt falls due so soon that this run settles it. */
  private async waitForLook(): Promise<boolean> {
    const due = await nextLookAt(this.o.database.db, this.o.job);
    if (due === undefined || this.o.signal.aborted) return false;
    const ms = due.getTime() - this.now.getTime();
    if (ms > WAIT_FOR_LOOK_MS) return false;
    await this.o.clock.sleep(Math.max(ms, 0), this.o.signal);
    return !this.o.signal.aborted;
  }

  private async countDoubts(): Promise<void> {
    for (const handler of this.o.handlers) {
      const rows = await doubtfulEffects(this.o.database.db, this.o.job, handler.kind, null);
      this.o.counts.failed += rows.length;
    }
  }

  private async settleDoubts(handler: EffectHandler): Promise<void> {
    const rows = await doubtfulEffects(this.o.database.db, this.o.job, handler.kind, this.now);
    if (rows.length === 0 || this.o.signal.aborted) return;
    const deliveries = (await this.withIds(handler, rows)).ready;
    const looks = await handler.look(deliveries);
    const next = new Date(this.now.getTime() + this.quietMs(handler));
    await this.o.database.transaction(async (tx) => {
      for (const delivery of deliveries) {
        const look = looks.get(delivery.row.id) ?? { state: 'unknown', reason: 'the look gave no answer' };
        if (look.state === 'found') await this.finish(tx, handler, delivery.row, look, false);
        else if (look.state === 'absent') await lookedInVain(tx, delivery.row, next);
        else await this.stayInDoubt(tx, delivery.row, next, look.reason);
      }
    });
    this.o.log.info({ kind: handler.kind, looked: deliveries.length }, 'effects in doubt looked up');
  }

  private async stayInDoubt(tx: Tx, row: OutboxRow, next: Date, reason: string): Promise<void> {
    await postponeLook(tx, [row.id], next, reason);
    const message = `${row.record.kind} ${row.record.key}: it is not known whether it was written, and looking it up failed (${reason})`;
    await openAlert(tx, 'in_doubt', row.key, message, this.now);
  }

  private async deliverKind(handler: EffectHandler): Promise<void> {
    const sent: Delivery[] = [];
    await this.adoptKind(handler);
    for (;;) {
      const outcome = await this.deliverRound(handler, sent);
      if (!outcome.progress || !outcome.left || this.o.signal.aborted) break;
    }
    await this.verifyKind(handler, sent);
  }

  /** One pass over the ready rows of a kind. `left`: some wait for a reservation or were made ready by this very round. */
  private async deliverRound(handler: EffectHandler, sent: Delivery[]): Promise<{ progress: boolean; left: boolean }> {
    const buffer: Delivery[] = [];
    const taken = new Set<string>();
    let progress = false;
    let left = false;
    const flush = async (size: number) => {
      const batch = buffer.splice(0, size);
      for (const delivery of batch) taken.delete(this.reservation(handler, delivery.row) ?? '');
      const result = await this.sendBatch(handler, batch, sent);
      progress ||= result.done > 0;
      left ||= result.left;
    };
    for (let after = 0; !this.o.signal.aborted; ) {
      const rows = await readyEffects(this.o.database.db, this.o.job, handler.kind, after, CHUNK, this.now);
      if (rows.length === 0) break;
      after = rows.at(-1)?.id ?? after;
      const { ready } = await this.withIds(
        handler,
        rows.filter((row) => !row.lookFirst),
      );
      const { unknown, found } = await this.settleKnown(handler, ready);
      progress ||= found > 0;
      for (const delivery of unknown) {
        const key = this.reservation(handler, delivery.row);
        if (key !== undefined && taken.has(key)) {
          left = true;
          continue;
        }
        if (key !== undefined) taken.add(key);
        buffer.push(delivery);
      }
      while (buffer.length >= handler.batch && !this.o.signal.aborted) await flush(handler.batch);
      if (sent.length >= VERIFY_CHUNK) await this.verifyKind(handler, sent);
    }
    while (buffer.length > 0 && !this.o.signal.aborted) await flush(handler.batch);
    return { progress, left };
  }

  private reservation(handler: EffectHandler, row: OutboxRow): string | undefined {
    return handler.reservation?.(row.payload);
  }

  /** Splits rows into those whose needs are all bound and those that wait for another effect. */
  private async withIds(handler: EffectHandler, rows: readonly OutboxRow[]): Promise<{ ready: Delivery[] }> {
    const ids = await remoteIds(
      this.o.database.db,
      rows.flatMap((row) => row.needs),
    );
    const missing = rows.flatMap((row) => row.needs).filter((key) => !ids.has(key));
    const refused = handler.goesWithout ? await refusedKeys(this.o.database.db, missing) : new Set<string>();
    const ready = rows
      .filter((row) => row.needs.every((key) => ids.has(key) || refused.has(key)))
      .map((row) => ({
        row,
        ids: new Map(row.needs.filter((key) => ids.has(key)).map((key) => [key, ids.get(key) ?? ''])),
        since: this.since(handler, row),
      }));
    return { ready };
  }

  private since(handler: EffectHandler, row: OutboxRow): Date {
    const from = row.sentAt === null ? handler.since?.(row.payload) : new Date(row.sentAt);
    return new Date((from?.getTime() ?? 0) - SKEW_MS);
  }

  /** Settles what is known to stand at the target through links and indexes. */
  private async settleKnown(handler: EffectHandler, ready: readonly Delivery[]) {
    if (ready.length === 0) return { unknown: [], found: 0 };
    await this.o.guard();
    await this.noteBound(handler, ready);
    const known: ById<Found> = (await handler.known?.(ready)) ?? new Map();
    if (known.size > 0) {
      await this.o.database.transaction(async (tx) => {
        for (const { row } of ready) {
          const found = known.get(row.id);
          if (found) await this.finish(tx, handler, row, found, false);
        }
      });
    }
    const unknown = ready.filter(({ row }) => !known.has(row.id));
    return { unknown, found: ready.length - unknown.length };
  }

  /** Before the thing is looked for: what is bound later was made by another job. */
  private async noteBound(handler: EffectHandler, ready: readonly Delivery[]): Promise<void> {
    const keys = new Map(ready.map(({ row }) => [row.id, this.reservation(handler, row)]));
    const bound = await remoteIds(
      this.o.database.db,
      [...keys.values()].filter((key) => key !== undefined),
    );
    for (const [id, key] of keys) this.bound.set(id, key === undefined ? undefined : bound.get(key));
  }

  /**
   * A fresh, restored or moved database looks before it makes anything for the first time: for all of a kind before the
   * first of it is sent, since later each look would walk back over what this very run has made.
   */
  private async adoptKind(handler: EffectHandler): Promise<void> {
    for (let after = 0; !this.o.signal.aborted; ) {
      const rows = await readyEffects(this.o.database.db, this.o.job, handler.kind, after, LOOK_CHUNK, this.now);
      if (rows.length === 0) return;
      after = rows.at(-1)?.id ?? after;
      const { ready } = await this.withIds(
        handler,
        rows.filter((row) => row.lookFirst),
      );
      if (ready.length > 0) await this.adopt(handler, ready);
    }
  }

  private async adopt(handler: EffectHandler, ready: readonly Delivery[]): Promise<void> {
    await this.o.guard();
    const mustLook = ready.filter(({ row }) => !this.made.has(handler.hangsOn?.(row.payload) ?? ''));
    const looking = new Set(mustLook);
    const free = ready.filter((delivery) => !looking.has(delivery)).map(({ row }) => row.id);
    const looks: ById<Look> = mustLook.length === 0 ? new Map() : await handler.look(mustLook);
    await this.o.database.transaction(async (tx) => {
      for (const { row } of mustLook) {
        const look = looks.get(row.id);
        if (look?.state === 'found') await this.finish(tx, handler, row, look, false);
        if (look?.state === 'absent') free.push(row.id);
      }
      await clearLookFirst(tx, free);
    });
    const unsettled = [...looks.values()].find((look) => look.state === 'unknown');
    if (unsettled?.state === 'unknown') {
      const { reason } = unsettled;
      this.o.log.warn({ kind: handler.kind, reason }, 'a first look could not be had; it waits');
      // Whoever reads the exit code sees that something is held back.
      this.o.counts.failed += [...looks.values()].filter((look) => look.state === 'unknown').length;
    }
  }

  /** Sends one batch, smaller where its rows were in doubt before; splits it where the target refuses it unexplained. */
  private async sendBatch(handler: EffectHandler, batch: readonly Delivery[], sent: Delivery[]) {
    const total = { done: 0, left: false };
    const add = (part: { done: number; left: boolean }) => {
      total.done += part.done;
      total.left ||= part.left;
    };
    const doubts = Math.max(...batch.map(({ row }) => row.doubts), 0);
    const size = Math.max(1, Math.floor(handler.batch / 2 ** doubts));
    for (let at = 0; at < batch.length && !this.o.signal.aborted; at += size) {
      add(await this.sendOnce(handler, batch.slice(at, at + size), sent));
    }
    return total;
  }

  private async sendOnce(handler: EffectHandler, batch: readonly Delivery[], sent: Delivery[]) {
    const { database, runId } = this.o;
    await this.o.guard();
    const had = await database.transaction((tx) =>
      claimEffects(
        tx,
        runId,
        batch.map(({ row }) => ({
          id: row.id,
          reservation: this.reservation(handler, row),
          bound: this.bound.get(row.id),
        })),
        this.now,
      ),
    );
    const mine = batch.filter(({ row }) => had.has(row.id));
    if (mine.length === 0) return { done: 0, left: true };
    const ids = mine.map(({ row }) => row.id);
    let leaving = false;
    const onSend = () => {
      leaving = true;
      return database.transaction((tx) => markSending(tx, runId, ids, this.now));
    };
    let outcomes: ById<Outcome>;
    try {
      outcomes = await handler.send(mine, onSend);
    } catch (error) {
      if (leaving) return this.afterFailure(handler, mine, sent, error);
      // What failed was read beforehand (the account's fields, say): nothing was sent, so that nothing is in doubt.
      await database.transaction((tx) => releaseEffects(tx, ids));
      throw error;
    }
    this.doubtsInARow = 0;
    const again = await this.settle(handler, mine, outcomes, sent);
    const rest = again.length > 0 ? await this.sendBatch(handler, again, sent) : { done: 0, left: false };
    return { done: mine.length - again.length + rest.done, left: rest.left || mine.length < batch.length };
  }

  private async afterFailure(handler: EffectHandler, batch: readonly Delivery[], sent: Delivery[], error: unknown) {
    const ids = batch.map(({ row }) => row.id);
    const { database } = this.o;
    if (!(error instanceof RemoteError)) {
      await this.intoDoubt(handler, ids, 'the program failed while it was being sent');
      throw error;
    }
    if (error.outcome === 'in-doubt') {
      await this.intoDoubt(handler, ids, error.message);
      this.doubtsInARow += 1;
      if (this.doubtsInARow >= DOUBTS_IN_A_ROW) throw error;
      return { done: 0, left: false };
    }
    const refusedItems = error.status !== undefined && [400, 404, 413, 422].includes(error.status);
    if (!refusedItems) {
      await database.transaction((tx) => releaseEffects(tx, ids));
      throw error;
    }
    return this.afterRefusal(handler, batch, sent, error);
  }

  private async intoDoubt(handler: EffectHandler, ids: readonly number[], reason: string): Promise<void> {
    const due = new Date(this.now.getTime() + this.quietMs(handler));
    await this.o.database.transaction((tx) => doubtEffects(tx, ids, due, reason));
  }

  /** The whole batch was refused: the items named are settled, the rest goes again; unexplained, it is halved. */
  private async afterRefusal(
    handler: EffectHandler,
    batch: readonly Delivery[],
    sent: Delivery[],
    error: RemoteError,
  ): Promise<{ done: number; left: boolean }> {
    const named = error.status === 413 ? new Map<number, Outcome>() : (handler.judge?.(error, batch) ?? new Map());
    if (named.size > 0) {
      const outcomes = new Map<number, Outcome>(
        batch.map(({ row }) => [row.id, named.get(row.id) ?? ({ state: 'again' } as const)]),
      );
      const again = await this.settle(handler, batch, outcomes, sent);
      return again.length > 0 ? this.sendBatch(handler, again, sent) : { done: 0, left: true };
    }
    const ids = batch.map(({ row }) => row.id);
    if (batch.length === 1) {
      const refused = new Map<number, Outcome>([[ids[0] ?? 0, { state: 'refused', reason: error.message }]]);
      await this.settle(handler, batch, refused, sent);
      return { done: 0, left: false };
    }
    await this.o.database.transaction((tx) => releaseEffects(tx, ids));
    const half = Math.ceil(batch.length / 2);
    const first = await this.sendOnce(handler, batch.slice(0, half), sent);
    const second = await this.sendOnce(handler, batch.slice(half), sent);
    return { done: first.done + second.done, left: first.left || second.left };
  }

  /** Stores what became of a batch; returns what is to be sent again at once. */
  private async settle(
    handler: EffectHandler,
    batch: readonly Delivery[],
    outcomes: ById<Outcome>,
    sent: Delivery[],
  ): Promise<Delivery[]> {
    const again: Delivery[] = [];
    await this.o.database.transaction(async (tx) => {
      for (const delivery of batch) {
        const outcome = outcomes.get(delivery.row.id);
        if (outcome === undefined) {
          const due = new Date(this.now.getTime() + this.quietMs(handler));
          await doubtEffects(tx, [delivery.row.id], due, 'the answer does not mention it');
          continue;
        }
        const repeat = await this.settleOne(tx, handler, delivery, outcome);
        if (repeat) again.push(repeat);
        if (outcome.state === 'done' && handler.verify) sent.push(delivery);
      }
    });
    return again;
  }

  private async settleOne(
    tx: Tx,
    handler: EffectHandler,
    delivery: Delivery,
    outcome: Outcome,
  ): Promise<Delivery | undefined> {
    const { row } = delivery;
    switch (outcome.state) {
      case 'done':
        await this.finish(tx, handler, row, outcome, true);
        return undefined;
      case 'refused':
        await this.fail(tx, row, outcome.reason);
        return undefined;
      case 'renew':
        await renewEffects(tx, outcome.keys);
        await this.fail(tx, row, outcome.reason);
        return undefined;
      case 'again':
        await releaseEffects(tx, [row.id]);
        return delivery;
      case 'amended': {
        await amendEffect(tx, row.id, outcome.payload);
        const { kind = 'mapping', subject, message } = outcome.alert;
        await openAlert(tx, kind, subject, message, this.now);
        await this.storeExtra(tx, outcome.extra ?? []);
        this.o.log.warn(
          { kind: row.kind, record: row.record.key, refused: outcome.alert.subject },
          'a field was left out',
        );
        return { ...delivery, row: { ...row, payload: outcome.payload } };
      }
    }
  }

  private async storeExtra(tx: Tx, effects: readonly Effect[]): Promise<void> {
    if (effects.length > 0) await storeEffects(tx, this.o.job, effects, false, this.now);
  }

  private async fail(tx: Tx, row: OutboxRow, reason: string): Promise<void> {
    await failEffect(tx, row.id, reason, nextAttemptAt(row.attempts + 1, this.now));
    await keepFailed(tx, this.o.job, row.record, reason, this.now);
    this.o.counts.failed += 1;
    this.o.log.warn({ kind: row.kind, record: row.record.key, reason }, 'a record failed; it is kept');
  }

  private async finish(tx: Tx, handler: EffectHandler, row: OutboxRow, found: Found, byUs: boolean): Promise<void> {
    assert(found.remoteId !== '', 'an effect was done without a remote id');
    await finishEffect(tx, row.id, found.remoteId, this.now);
    await this.o.settled?.(tx, row, found.remoteId, this.now);
    const own = { key: row.key, kind: row.kind, remoteId: found.remoteId };
    await saveLinks(
      tx,
      [found.applied === undefined ? own : { ...own, applied: found.applied }, ...(found.links ?? [])],
      this.now,
    );
    if (row.attempts > 0) await forgetFailed(tx, row.record);
    for (const { kind, subject, message } of found.reports ?? []) {
      if (await openAlert(tx, kind, subject, message, this.now))
        this.o.log.warn({ kind, subject }, 'a difference is reported');
    }
    if (byUs) this.made.add(row.key);
    // What a lost answer hid was made by us all the same.
    if (handler.counts && (byUs || row.sentAt !== null)) this.o.counts[handler.counts] += 1;
  }

  private async verifyKind(handler: EffectHandler, sent: Delivery[]): Promise<void> {
    if (!handler.verify) return;
    let toCheck = sent.splice(0);
    for (let round = 1; toCheck.length > 0 && !this.o.signal.aborted; round++) {
      const missing = new Set(await handler.verify(toCheck));
      const again = toCheck.filter(({ row }) => missing.has(row.id));
      if (again.length === 0) return;
      if (round >= VERIFY_ROUNDS) {
        await this.o.database.transaction(async (tx) => {
          for (const { row } of again) await this.fail(tx, row, 'the target acknowledged it but does not show it');
        });
        return;
      }
      this.o.log.warn({ kind: handler.kind, missing: again.length }, 'acknowledged but not there: sent again');
      await this.o.database.transaction((tx) =>
        releaseEffects(
          tx,
          again.map(({ row }) => row.id),
        ),
      );
      await this.sendBatch(handler, again, sent);
      toCheck = sent.splice(0);
    }
  }
}
