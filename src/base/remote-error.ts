import { AppError, type AppErrorInit } from './errors.ts';

/**
 * What is known of a request that did not end well:
 * `not-sent` no byte left (DNS, connect, TLS, our deadline before the socket was written to);
 * `refused` the remote said no and surely did nothing (400, 401, 402, 403, 404, 413, 422, 429);
 * `in-doubt` everything else (time-out, reset, cut body, 5xx): a write may have taken effect.
 */
export type RequestOutcome = 'not-sent' | 'refused' | 'in-doubt';

export interface RemoteErrorInit extends AppErrorInit {
  system: string;
  /** The endpoint's name in our client, e.g. `leads.create`; never a URL. */
  route: string;
  status?: number;
  outcome: RequestOutcome;
  /** The refusal's parsed JSON body, for the client to read; never printed. */
  answer?: unknown;
  requestId?: string;
}

/** A remote system's failure, built from allowed fields only: no URL, header or body reaches a message. */
export class RemoteError extends AppError {
  readonly system: string;
  readonly route: string;
  readonly status: number | undefined;
  readonly outcome: RequestOutcome;
  readonly answer: unknown;
  readonly requestId: string | undefined;

  constructor(init: RemoteErrorInit) {
    super(init);
    this.name = 'RemoteError';
    this.system = init.system;
    this.route = init.route;
    this.status = init.status;
    this.outcome = init.outcome;
    this.answer = init.answer;
    this.requestId = init.requestId;
    Object.defineProperty(this, 'answer', { enumerable: false });
  }
}
