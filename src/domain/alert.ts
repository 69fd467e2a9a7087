/** An alert that opened or closed, as it is to be told over one channel. */
export interface AlertNews {
  id: number;
  kind: string;
  subject: string;
  message: string;
  /** ISO-8601, UTC. */
  openedAt: string;
  /** Set where it closed. */
  closedAt: string | null;
  /** What is still to be told of it. */
  events: readonly AlertEvent[];
}

export type AlertEvent = 'opened' | 'closed';

/** One message to the operator, ready to be sent. */
export interface AlertMessage {
  /** The same for the same content, so that a repetition can be recognised. */
  id: string;
  /** One short line. */
  subject: string;
  text: string;
}

/** A way to reach the operator. */
export interface AlertChannel {
  name: string;
  /** Throws an `AppError` where the message was not taken, or is not known to have been. */
  send(message: AlertMessage, signal: AbortSignal): Promise<void>;
}
