/** Parses a value from outside into a true type, or throws; every zod schema is one. */
export interface Schema<T> {
  parse(input: unknown): T;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
