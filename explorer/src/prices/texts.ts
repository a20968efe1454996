export const texts = {
  title: 'What did it cost, per day, to ship a container?',
  lead: 'Mean of all prices between two ports or regions, for each day, in US dollars.',
  from: 'First day',
  to: 'Last day',
  count: 'Prices',
  waiting: '…',
  none: 'There are no prices yet. Upload a file with “ratesgraph prices upload”, or by the API.',
  example: 'Example',
  tryIt: 'Run it in GraphiQL',
  endpoint: 'The API answers at',
  documentation: 'The documentation is in the folder docs of the source; “make docs” builds it as a site.',
  footer: (day: string) => `Prices up to ${day}.`,
};
