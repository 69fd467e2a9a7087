/** Half-open span of time `[from, to)`, UTC. */
export interface Range {
  from: Date;
  to: Date;
}
