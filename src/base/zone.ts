/** Zones of most of our operators: known to every Node.js, so that nobody has to load the zone tables to know it. */
export const usualZones: ReadonlySet<string> = new Set(['Asia/Almaty', 'Europe/Moscow', 'Europe/Minsk', 'UTC']);

/**
 * The calendar date of an instant in one of the usual zones. The first `Intl.DateTimeFormat` of a process costs some 15 ms,
 * which cron would pay every minute; a plain Date asks the same zone rules for next to nothing, but knows the process's own
 * zone only. So that one is put in place for the length of this call, in which nothing else can run. Not in worker threads,
 * whose environment is a copy.
 */
export function dateInUsualZone(zone: string, instant: Date): { year: number; month: number; day: number } {
  const own = process.env.TZ;
  process.env.TZ = zone;
  try {
    const local = new Date(instant);
    return { year: local.getFullYear(), month: local.getMonth() + 1, day: local.getDate() };
  } finally {
    if (own === undefined) delete process.env.TZ;
    else process.env.TZ = own;
  }
}
