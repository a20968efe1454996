import type { TypedDocumentString } from '../gql/graphql';
import { texts } from './texts';

/** Failures that pass by themselves. The response may have the status 200, with the other fields. */
const PASSING = new Set([
  'DATABASE_UNAVAILABLE',
  'DRY_RUN_BUSY',
  'ISSUER_UNAVAILABLE',
  'SERVER_BUSY',
  'STREAMS_EXHAUSTED',
  'TOO_MANY_STREAMS',
  'TREE_CHANGE_RUNNING',
]);
/** Failures of the server, which may not happen again. Other codes are about the request, which fails each time. */
const FAILURES = new Set(['EXECUTION_TIMEOUT', 'INTERNAL_ERROR', 'NO_ROOM', 'STATEMENT_TIMEOUT']);
/** What a proxy answers, in a body of its own, while the server behind it restarts. */
const GATEWAY_STATUSES = [502, 503, 504];

/** A request that failed as a whole. `status` is 0 if the server could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Seconds after which the server asks to try again. */
    readonly retryAfter: number | null = null,
    /** What the server adds to the code, such as `argument` and `suggestions` of an unknown location. */
    readonly extensions: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }

  /** Whether the same request may succeed later without a change by a person. A full disk stays full. */
  get isTemporary(): boolean {
    if (this.code === 'NO_ROOM') return false;
    return this.isLost || this.status === 429 || this.status === 503 || PASSING.has(this.code);
  }

  /** Whether the response is missing, so that a change may or may not have been made. */
  get isLost(): boolean {
    return this.status === 0 || (this.code === 'UNREADABLE' && GATEWAY_STATUSES.includes(this.status));
  }

  /** Whether it makes sense to send the same request again. */
  get mayPass(): boolean {
    return this.isTemporary || FAILURES.has(this.code) || (this.code === 'UNREADABLE' && this.status !== 413);
  }

  /** What went wrong, for the user. */
  get explanation(): string {
    if (this.isLost) return texts.errors.offline;
    // After an update of a server that answers registered documents only.
    if (this.code === 'DOCUMENT_REQUIRED') return texts.errors.outdated;
    return this.status === 429 && this.code !== 'TOO_MANY_STREAMS' ? texts.errors.rateLimited : this.message;
  }

  /** What went wrong, and when the user may repeat the request. */
  get advice(): string {
    return this.isTemporary && this.retryAfter ? `${this.explanation} ${texts.errors.repeatIn(this.retryAfter)}` : this.explanation;
  }
}

interface Body<Result> {
  data?: Result | null;
  errors?: { message: string; path?: (string | number)[]; extensions?: { code?: string } & Record<string, unknown> }[];
}

/** The token is kept only in this variable: a reload forgets it, and no other page can read it. */
let token: string | null = null;
const listeners = new Set<() => void>();

export const getToken = (): string | null => token;

export function setToken(value: string | null): void {
  token = value;
  for (const listener of listeners) listener();
}

/** Calls back when the token changes. Returns a function that ends this. */
export function onTokenChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Seconds after which an answer is given up, as the connection may be dead. A query is stopped by the server long before; a change
 * of the region tree may take minutes.
 */
const PATIENCE_SECONDS = { query: 60, mutation: 300 };

/** Headers of every request to the server, the token among them. */
export const requestHeaders = (): Record<string, string> => (token ? { Authorization: `Bearer ${token}` } : {});

/** Sends an operation and returns its data. Throws ApiError, even if only a part of the data is missing because of an error. */
export async function request<Result, Variables>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  const headers = { ...requestHeaders(), 'Content-Type': 'application/json', Accept: 'application/graphql-response+json' };
  const query = document.toString();
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE_SECONDS[/^\s*mutation\b/.test(query) ? 'mutation' : 'query'] * 1_000);
  try {
    const body = JSON.stringify({ query, variables });
    const signals = signal ? [signal, patience.signal] : [patience.signal];
    const response = await fetch('/graphql', { method: 'POST', headers, body, signal: AbortSignal.any(signals) });
    return readAnswer<Result>(response.status, response.headers.get('Retry-After'), await response.text());
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    throw new ApiError(0, 'OFFLINE', texts.errors.offline);
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the data in the body of a response. Throws ApiError. */
export function readAnswer<Result>(status: number, retryAfter: string | null, text: string): Result {
  const body = parse<Result>(status, text);
  const error = body.errors?.[0];
  if (error || !body.data) {
    const message = error?.message ?? texts.errors.unreadable;
    const extensions = error?.extensions ?? {};
    throw new ApiError(status, extensions.code ?? 'UNREADABLE', message, Number(retryAfter) || null, extensions);
  }
  return body.data;
}

function parse<Result>(status: number, text: string): Body<Result> {
  try {
    return (JSON.parse(text) as Body<Result> | null) ?? {};
  } catch {
    throw new ApiError(status, 'UNREADABLE', texts.errors.unreadable);
  }
}
