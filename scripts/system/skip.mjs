/** Thrown by a check that cannot be made here, with the reason. */
export class Skip extends Error {}
