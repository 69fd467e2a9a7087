import type { KyselyPlugin, OperationNode } from 'kysely';
import type { Seams } from '../../src/cli/wire.ts';
import { type HttpCore, httpCore, type SystemHttp } from '../../src/http/core.ts';
import { type Database, type Lock, openDatabase, type Tx } from '../../src/state/database.ts';

/** A moment at which a process can die: around a request, around what makes a change to the database stay. */
export type Step = 'commit: before' | 'commit: after' | 'request: before' | 'request: after';

/** What ends a process that died; nothing of it may get further than the harness. */
export class Killed extends Error {}

/** One process that dies at a chosen step, or lives to its end. */
export interface Mortal {
  seams: Seams;
  /** The steps that it went through, the deadly one included. */
  steps: readonly Step[];
  dead(): boolean;
  /** What the operating system does after a death: connections end, locks are free. */
  bury(): Promise<void>;
}

/** Lets one caller in at a time. */
export type Exclusive = <T>(work: () => Promise<T>) => Promise<T>;

export function exclusive(): Exclusive {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

const freely: Exclusive = (work) => work();

const WRITES: ReadonlySet<OperationNode['kind']> = new Set(['InsertQueryNode', 'UpdateQueryNode', 'DeleteQueryNode']);

export interface MortalOptions {
  /** The number of the deadly step, from 1; absent: it lives. */
  dieAt?: number;
  /**
   * Two handles of one SQLite file in one process: the engine waits for the other handle's write lock without letting go of
   * the thread, so that it would wait for itself. Real processes have a thread each.
   */
  turns?: Exclusive;
  /** Called before each transaction, with its number from 1: what others do in between. */
  between?: (transaction: number) => Promise<void>;
}

/**
 * The seams of a process that dies at a step. From then on each of its operations fails, those of its `catch` and
 * `finally` too, as nothing of a killed process reaches the disk or the wire.
 */
export function mortal({ dieAt = Number.POSITIVE_INFINITY, turns = freely, between }: MortalOptions = {}): Mortal {
  let transactions = 0;
  const steps: Step[] = [];
  const opened: Database[] = [];
  let dead = false;

  function alive(): void {
    if (dead) throw new Killed('the process is dead');
  }

  function step(name: Step): void {
    alive();
    steps.push(name);
    if (steps.length < dieAt) return;
    dead = true;
    throw new Killed(`killed at step ${steps.length} (${name})`);
  }

  /** Inside a transaction nothing stays before the commit, so that its statements are no steps of their own. */
  const inTransaction: KyselyPlugin = {
    transformQuery: ({ node }) => {
      alive();
      return node;
    },
    transformResult: async ({ result }) => {
      alive();
      return result;
    },
  };

  /** A statement outside of a transaction is one of its own. */
  function onItsOwn(): KyselyPlugin {
    const writes = new WeakSet<object>();
    return {
      transformQuery: ({ node, queryId }) => {
        alive();
        if (WRITES.has(node.kind)) {
          step('commit: before');
          writes.add(queryId);
        }
        return node;
      },
      transformResult: async ({ result, queryId }) => {
        if (writes.has(queryId)) step('commit: after');
        else alive();
        return result;
      },
    };
  }

  async function transaction<T>(inner: Database, work: (tx: Tx) => Promise<T>): Promise<T> {
    alive();
    transactions += 1;
    await between?.(transactions);
    const made = await turns(() =>
      inner.transaction(async (tx) => {
        const value = await work(tx.withPlugin(inTransaction));
        step('commit: before');
        return value;
      }),
    );
    step('commit: after');
    return made;
  }

  function mortalLock(lock: Lock): Lock {
    return {
      name: lock.name,
      ping: async () => {
        alive();
        await lock.ping();
      },
      release: async () => {
        if (!dead) await lock.release();
      },
    };
  }

  async function open(...given: Parameters<typeof openDatabase>): Promise<Database> {
    alive();
    const inner = await openDatabase(...given);
    opened.push(inner);
    return {
      ...inner,
      db: inner.db.withPlugin(onItsOwn()),
      transaction: (work) => transaction(inner, work),
      lock: async (...wanted) => {
        alive();
        const lock = await inner.lock(...wanted);
        return lock && mortalLock(lock);
      },
      close: async () => {
        if (!dead) await inner.close();
      },
    };
  }

  function mortalHttp(http: SystemHttp): SystemHttp {
    return {
      request: (request) =>
        http.request({
          ...request,
          onSend: async () => {
            alive();
            await request.onSend?.();
            step('request: before');
          },
          schema: {
            parse: (input) => {
              step('request: after');
              return request.schema.parse(input);
            },
          },
        }),
    };
  }

  function mortalCore(...[given]: Parameters<typeof httpCore>): HttpCore {
    const core = httpCore({ ...given, retryDelayMs: 1 });
    return {
      ...core,
      for: (system) => {
        const { gate } = system;
        return mortalHttp(
          core.for({
            ...system,
            // The pace of real accounts is of no use here and would only take its time.
            limit: { requests: 100_000, perMs: 1000 },
            ...(gate && {
              gate: {
                take: (signal) => turns(() => gate.take(signal)),
                strike: (kind) => (dead ? Promise.reject(new Killed('dead')) : gate.strike(kind)),
                relax: () => turns(() => gate.relax()),
              },
            }),
          }),
        );
      },
    };
  }

  return {
    seams: { openDatabase: open, httpCore: mortalCore },
    steps,
    dead: () => dead,
    bury: async () => {
      for (const database of opened) await database.close();
    },
  };
}
