import type { SandboxAnswer, SandboxRequest } from '../kit.ts';
import { type Issue, type ItemIssues, problem, validationProblem } from './answers.ts';
import { isObject, type Reader, reader } from './reader.ts';
import type { World } from './world.ts';

/** A request on its way through a route. */
export interface Call {
  world: World;
  request: SandboxRequest;
  /** What the route's `{…}` stood for. */
  params: Record<string, string>;
}

interface Drafted<D> {
  draft: D;
  /** As sent, as a string; the item's index where none was sent. */
  requestId: string;
}

export type Batch<D> = { refused: SandboxAnswer } | { items: Drafted<D>[] };

/**
 * Reads the array of a POST or PATCH. One bad item refuses them all, and nothing was applied yet: the caller writes only what it gets in `items`.
 * `parse` gives undefined where the item is faulty beyond a draft; it has named the fault then.
 */
export function readBatch<D>(call: Call, cap: number, parse: (item: Reader) => D | undefined): Batch<D> {
  const body = call.request.body;
  if (!Array.isArray(body)) return { refused: problem(400, 'The request body must be an array of objects') };
  const most = Math.min(cap, call.world.options.batchCap);
  if (body.length === 0 || body.length > most) {
    return { refused: problem(400, `The request body must hold 1 to ${most} elements`) };
  }
  const items: Drafted<D>[] = [];
  const faulty: ItemIssues[] = [];
  for (const [index, raw] of body.entries()) {
    const issues: Issue[] = [];
    const requestId = requestIdOf(raw, index);
    const draft = isObject(raw) ? parse(reader(raw, issues)) : undefined;
    if (!isObject(raw)) issues.push({ code: 'InvalidType', path: '', detail: 'This value should be of type object.' });
    if (issues.length > 0) faulty.push({ requestId, issues });
    else if (draft !== undefined) items.push({ draft, requestId });
  }
  return faulty.length > 0 ? { refused: validationProblem(faulty) } : { items };
}

function requestIdOf(raw: unknown, index: number): string {
  const sent = isObject(raw) ? raw.request_id : undefined;
  return typeof sent === 'string' || typeof sent === 'number' ? String(sent) : String(index);
}

/** The same for the body of a PATCH to one id: an object. */
export function readSingle<D>(
  call: Call,
  parse: (item: Reader) => D | undefined,
): { refused: SandboxAnswer } | { draft: D } {
  const body = call.request.body;
  if (!isObject(body)) return { refused: problem(400, 'The request body must be an object') };
  const issues: Issue[] = [];
  const draft = parse(reader(body, issues));
  if (draft === undefined || issues.length > 0) {
    return { refused: validationProblem([{ requestId: requestIdOf(body, 0), issues }]) };
  }
  return { draft };
}

/** Answers of a batch in the order that the account is set to give. */
export function inAnswerOrder<T>(world: World, answers: T[]): T[] {
  return world.options.answerOrder === 'reversed' ? answers.reverse() : answers;
}

/** The number that a route's `{name}` stood for. */
export function idParam(call: Call, name = 'id'): number {
  return Number(call.params[name]);
}
