import type { Calls, EventBody, EventProblem, NewEvent } from "./calls.js";

export * from "./calls.js";

/** Method and path of every call, by the name of its method. */
export const CALLS: Record<keyof Calls, string>;

/** How often a call is sent, and how long the pauses in between may be. */
export interface Retry {
  attempts: number;
  firstSeconds: number;
  longestSeconds: number;
}

type Key = string | null | undefined;

export interface RegularsOptions {
  /** An API key or a customer's token, or what returns it. */
  key?: Key | (() => Key | Promise<Key>);
  timeoutSeconds?: number;
  retry?: Partial<Retry>;
}

export interface Delivery {
  /** Number of events that are stored now. */
  stored: number;
  /** Events that the service will not take, and why. */
  refused: Array<{ event: EventBody; errors: Array<EventProblem> }>;
}

export class Regulars {
  constructor(url: string, options?: RegularsOptions);
  /** Send a call, and again as `retry` says. `mayRepeat`: whether it may be done twice. */
  send(method: string, path: string, options?: object, mayRepeat?: boolean): Promise<unknown>;
  /** Report all that waits in a queue. What throws leaves what is left of it there. */
  deliver(queue: EventQueue): Promise<Delivery>;
}
export interface Regulars extends Calls {}

/** Events that wait to be sent. */
export class EventQueue {
  constructor(options?: { name?: string; storage?: Storage; most?: number });
  readonly length: number;
  /** Keep an event and return its id. */
  add(event: NewEvent): string;
  first(n: number): Array<EventBody>;
  remove(events: Array<EventBody>): void;
}

/** Any failure of a call. */
export class RegularsError extends Error {}

/** Whether the call was done is unknown. */
export class NoAnswerError extends RegularsError {}

/** The service says what it did not do, and why. */
export class ServiceError extends RegularsError {
  readonly status: number;
  /** What `type` ends in, such as `store_unavailable`. */
  readonly kind: string;
  readonly detail: string;
  readonly errors: Array<EventProblem>;
  /** Seconds, if the service named them. */
  readonly retryAfter: number | null;
}
