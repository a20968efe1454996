/** Texts of the frame. Each page has a module of its own, so that the texts can be translated in one place per page. */
export const texts = {
  /** Language of numbers, days and times on all pages. */
  locale: 'en-GB',
  product: 'Ratesgraph',
  skip: 'Skip to the content',
  navigation: 'Pages',
  pages: {
    '/': 'Prices',
    '/uploads': 'Uploads',
    '/locations': 'Locations',
    '/status': 'Status',
    '/graphql': 'GraphQL',
  } as Record<string, string>,
  demo: 'Demo data: these prices are synthetic, not market data.',
  token: {
    open: 'Token…',
    stored: 'Token: set',
    title: 'API token',
    label: 'Token',
    hint: 'An administrator creates tokens with “ratesgraph token create”. This page forgets the token when it is reloaded.',
    needed: 'This server answers only callers with a token.',
    enter: 'Enter a token',
    refused: 'The server refused the token. It may be misspelt, expired or revoked.',
    save: 'Use token',
    forget: 'Forget token',
    cancel: 'Cancel',
  },
  errors: {
    offline: 'The server cannot be reached. Check that it runs and that you are online.',
    unavailable: 'This page tries again in',
    rateLimited: 'Too many requests. Trying again in',
    outdated: 'This page is older than the server, which no longer answers its queries. Reload it.',
    unreadable: 'The server sent a response that this page cannot read.',
    seconds: (count: number) => `${count} s.`,
    retry: 'Try again',
  },
};
