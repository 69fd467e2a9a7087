import { foldName } from './onec-text.ts';

/** A row of the table of stages as far as it is compared; `null`: for any, and for `state`: the pipeline's own row. */
export interface StatusRow {
  readonly pipeline: number;
  readonly status: number;
  readonly state: string | null;
  readonly organization: string | null;
  readonly department: string | null;
  readonly default: boolean;
}

/** What a document says of itself, by name. */
export interface StatePlace {
  state: string | undefined;
  organization: string | undefined;
  department: string | undefined;
}

/**
 * The row whose stage a document of this state belongs in: of those that fit, the most specific one (both organisation and
 * department, then organisation alone, then department alone, then neither); among equals the default one, else the first.
 */
export function stageFor<R extends StatusRow>(rows: readonly R[], place: StatePlace): R | undefined {
  return bySpecificity(stagesOf(rows, place))[0];
}

/** Every row whose stage stands for this state of this organisation and department, in the order of the table. */
export function stagesOf<R extends StatusRow>(rows: readonly R[], place: StatePlace): R[] {
  const { state } = place;
  if (state === undefined || state === '') return [];
  return rows.filter((row) => row.state !== null && isSame(row.state, state) && fitsOwner(row, place));
}

/** The pipeline's own row for documents whose state has none. */
export function pipelineFor<R extends StatusRow>(rows: readonly R[], place: Omit<StatePlace, 'state'>): R | undefined {
  return bySpecificity(rows.filter((row) => row.state === null && fitsOwner(row, place)))[0];
}

/**
 * The rows of a stage that name a state, best first. For an organisation or department that is known, rows of others never
 * fit and the most specific one is the best; where neither is known, all fit and the most general one is the best.
 */
export function statesFor<R extends StatusRow>(
  rows: readonly R[],
  at: { pipeline: number; status: number; organization?: string | undefined; department?: string | undefined },
): R[] {
  const ofStage = rows.filter((row) => row.pipeline === at.pipeline && row.status === at.status && row.state !== null);
  if (at.organization === undefined && at.department === undefined) return bySpecificity(ofStage, -1);
  const place = { organization: at.organization, department: at.department };
  return bySpecificity(ofStage.filter((row) => fitsOwner(row, place)));
}

/** How much a row demands: department 1, organisation 2. */
export function specificityOf(row: Pick<StatusRow, 'organization' | 'department'>): number {
  return (row.organization === null ? 0 : 2) + (row.department === null ? 0 : 1);
}

function bySpecificity<R extends StatusRow>(rows: readonly R[], direction: 1 | -1 = 1): R[] {
  return rows.toSorted(
    (a, b) => direction * (specificityOf(b) - specificityOf(a)) || Number(b.default) - Number(a.default),
  );
}

function fitsOwner(row: StatusRow, { organization, department }: Omit<StatePlace, 'state'>): boolean {
  return fits(row.organization, organization) && fits(row.department, department);
}

function fits(wanted: string | null, name: string | undefined): boolean {
  return wanted === null || (name !== undefined && isSame(wanted, name));
}

function isSame(a: string, b: string): boolean {
  return foldName(a) === foldName(b);
}
