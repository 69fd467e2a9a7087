import { ExitCode } from '../base/errors.ts';
import { RemoteError } from '../base/remote-error.ts';

/** Where a failure happened; nothing of the request's content. */
export interface Where {
  system: string;
  route: string;
  requestId?: string | undefined;
}

function place(where: Where) {
  return {
    system: where.system,
    route: where.route,
    ...(where.requestId === undefined ? {} : { requestId: where.requestId }),
  };
}

/** The connection failed or no whole answer came. `notSent`: surely before the first byte of the request left. */
export function unreachable(where: Where, why: string, notSent: boolean): RemoteError {
  return new RemoteError({
    ...place(where),
    code: 'REMOTE_UNREACHABLE',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `${where.system} gave no answer (${where.route}: ${why})`,
    hint: 'Nothing to do if it passes; the next run goes on where this one stopped.',
    outcome: notSent ? 'not-sent' : 'in-doubt',
  });
}

/** An HTML 403: the account or our address is blocked for asking too fast; asking on makes it worse. */
export function blocked(where: Where): RemoteError {
  return new RemoteError({
    ...place(where),
    code: 'REMOTE_BLOCKED',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `${where.system} has blocked us (HTTP 403, no JSON; ${where.route})`,
    hint: 'sdelka pauses by itself. If it lasts, ask their support to lift the block, and lower AMO_RPS.',
    status: 403,
    outcome: 'refused',
  });
}

/** A 2xx answer that is not what the system promises: HTML, cut JSON, a missing id. A write may well have taken effect. */
export function oddAnswer(where: Where, why: string): RemoteError {
  return new RemoteError({
    ...place(where),
    code: 'REMOTE_ODD_ANSWER',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `${where.system} answered something unexpected (${where.route}: ${why})`,
    hint: 'If it lasts, the address in the settings may be wrong, or the system has changed.',
    outcome: 'in-doubt',
  });
}

/** The shared breaker is open: nobody asks until it closes. */
export function breakerOpen(system: string, until: Date): RemoteError {
  return new RemoteError({
    system,
    route: 'none',
    code: 'BREAKER_OPEN',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `${system} has refused us for asking too fast; no request before ${until.toISOString()}`,
    hint: 'It closes by itself. Lower AMO_RPS if other programs use the same account.',
    outcome: 'not-sent',
  });
}

/** What a status outside 2xx means. `answer` is the parsed JSON body, for the client to read. */
export function classifyStatus(where: Where, status: number, answer: unknown, credentials: string): RemoteError {
  const common = { ...place(where), status, answer };
  if (status === 401 || status === 403) {
    return new RemoteError({
      ...common,
      code: status === 401 ? 'REMOTE_UNAUTHORIZED' : 'REMOTE_FORBIDDEN',
      kind: 'operator',
      exit: ExitCode.CredentialsRefused,
      message: `${where.system} refused our credentials (HTTP ${status}; ${where.route})`,
      hint: `Check ${credentials}, then run the job again: it resumes where it stopped.`,
      outcome: 'refused',
    });
  }
  if (status === 402) {
    return new RemoteError({
      ...common,
      code: 'REMOTE_UNPAID',
      kind: 'operator',
      exit: ExitCode.Unavailable,
      message: `${where.system} says that the subscription is not paid (HTTP 402; ${where.route})`,
      hint: 'Pay for the account; the next run goes on where this one stopped.',
      outcome: 'refused',
    });
  }
  if (status === 429) {
    return new RemoteError({
      ...common,
      code: 'REMOTE_BUSY',
      kind: 'transient',
      exit: ExitCode.Unavailable,
      message: `${where.system} says that we ask too fast (HTTP 429; ${where.route})`,
      hint: 'sdelka slows down by itself. Lower AMO_RPS if other programs use the same account.',
      outcome: 'refused',
    });
  }
  if (status >= 400 && status < 500 && status !== 408) {
    const sure = [400, 404, 413, 422].includes(status);
    return new RemoteError({
      ...common,
      code: 'REMOTE_REFUSED',
      kind: 'operator',
      exit: ExitCode.Unavailable,
      message: `${where.system} refused the request (HTTP ${status}; ${where.route})`,
      hint: 'Run `sdelka doctor`: a setting or an id of the mapping may not fit the account.',
      outcome: sure ? 'refused' : 'in-doubt',
    });
  }
  return new RemoteError({
    ...common,
    code: 'REMOTE_FAILING',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `${where.system} is failing (HTTP ${status}; ${where.route})`,
    hint: 'Nothing to do if it passes; the next run goes on where this one stopped.',
    outcome: 'in-doubt',
  });
}
