export { generateCdr, SINGLE_CHANNEL_KINDS } from './cdr/generate.ts';
export type { CallKind, CallTruth, CdrOptions, CdrRecord, CdrScript } from './cdr/model.ts';
export { cdrCsv, cdrInserts, cdrTable, type SqlDialect, writeCdrCsv, writeCdrSqlite } from './cdr/write.ts';
