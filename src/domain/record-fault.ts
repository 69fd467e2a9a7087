import { AppError, ExitCode } from '../base/errors.ts';

/**
 * One record cannot be used: it is kept among the failed ones with this message and tried again; the rest goes on.
 * The message is for the operator and names the field; it holds no names, phones or addresses.
 */
export class RecordFault extends AppError {
  constructor(message: string, hint?: string) {
    super({
      code: 'RECORD_UNUSABLE',
      kind: 'operator',
      exit: ExitCode.SomeFailed,
      message,
      ...(hint === undefined ? {} : { hint }),
    });
    this.name = 'RecordFault';
  }
}
