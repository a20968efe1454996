import type { Storage } from '@graphiql/toolkit';

const NAMESPACE = 'graphiql:';
const HISTORY = [`${NAMESPACE}queries`, `${NAMESPACE}favorites`];

/** The browser's storage for GraphiQL, whose history would otherwise keep request headers, and with them tokens. */
export const storage: Storage = {
  get length() {
    return ownNames().length;
  },
  getItem: (name) => localStorage.getItem(name),
  removeItem: (name) => localStorage.removeItem(name),
  clear: () => ownNames().forEach((name) => localStorage.removeItem(name)),
  setItem: (name, value) => localStorage.setItem(name, HISTORY.includes(name) ? withoutHeaders(value) : value),
};

const ownNames = (): string[] => Object.keys(localStorage).filter((name) => name.startsWith(NAMESPACE));

const withoutHeaders = (history: string): string =>
  JSON.stringify(JSON.parse(history), (name, value: unknown) => (name === 'headers' ? undefined : value));
