/** What the server says about itself in `<meta name="ratesgraph">` of each page. */
export interface Server {
  profile: 'development' | 'production';
  /** Whether reading and writing need a token. */
  reads: 'open' | 'token';
  writes: 'open' | 'token';
  /** Which GraphQL documents it answers. Those of the pages are registered. */
  documents: 'any' | 'registered';
  /** Whether demo prices were among the data when the page was loaded. */
  hasDemoData: boolean;
  /** Paths of the pages that this server has. */
  pages: string[];
}

const DEFAULTS: Server = {
  profile: 'development',
  reads: 'open',
  writes: 'open',
  documents: 'any',
  hasDemoData: false,
  pages: ['/', '/graphql'],
};

const meta = document.querySelector<HTMLMetaElement>('meta[name="ratesgraph"]');

/** The dev server of Vite leaves the element empty, so the defaults are those of a local server. */
export const server: Server = { ...DEFAULTS, ...(JSON.parse(meta?.content ?? '{}') as Partial<Server>) };
