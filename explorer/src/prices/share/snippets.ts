import { server } from '../../frame/server';
import type { SeriesQueryVariables } from '../../gql/graphql';

export type Language = 'graphql' | 'curl' | 'python' | 'typescript';

/** The query of the page with its values written out, so that it runs as it is. */
export function writeQuery({ lanes, from, to, interval, currency, fallback }: SeriesQueryVariables): string {
  const text = JSON.stringify;
  const list = (Array.isArray(lanes) ? lanes : [lanes]).map(
    ({ origin, destination }) => `      { origin: ${text(origin)}, destination: ${text(destination)} }`,
  );
  const larger = fallback ? [`    fallback: { maxLevels: ${fallback.maxLevels}, coverage: ${fallback.coverage} }`] : [];
  return [
    '{',
    '  priceSeries(',
    '    lanes: [',
    ...list,
    '    ]',
    `    dateFrom: ${text(from)}`,
    `    dateTo: ${text(to)}`,
    `    interval: ${interval}`,
    `    currency: ${text(currency)}`,
    ...larger,
    '  ) {',
    '    currency',
    '    from',
    '    to',
    '    lanes {',
    '      origin { key name }',
    '      destination { key name }',
    '      averages',
    '      counts',
    '      nullReasons',
    '    }',
    '  }',
    '}',
  ].join('\n');
}

/** The query as a program sends it to this server. */
export function writeProgram(language: Language, query: string): string {
  return { graphql: () => query, curl: writeCurl, python: writePython, typescript: writeTypeScript }[language](query);
}

const endpoint = (): string => new URL('/graphql', location.href).href;
const isTokenNeeded = server.reads === 'token';
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const writeCurl = (query: string): string =>
  [
    `curl -fsS ${quote(endpoint())}`,
    `-H 'Content-Type: application/json'`,
    ...(isTokenNeeded ? ['-H "Authorization: Bearer $RATESGRAPH_TOKEN"'] : []),
    `-d ${quote(JSON.stringify({ query: query.replaceAll(/\s+/g, ' ') }))}`,
  ].join(' \\\n  ');

function writePython(query: string): string {
  const headers = isTokenNeeded ? ', headers={"Authorization": f"Bearer {os.environ[\'RATESGRAPH_TOKEN\']}"}' : '';
  return `${isTokenNeeded ? 'import os\n\n' : ''}import httpx

QUERY = """
${query}
"""

response = httpx.post("${endpoint()}", json={"query": QUERY}${headers}, timeout=30)
answer = response.json()
if "errors" in answer:
    raise SystemExit(answer["errors"][0]["message"])
series = answer["data"]["priceSeries"]
for lane in series["lanes"]:
    for day, average in zip(series["from"], lane["averages"]):
        print(lane["origin"]["key"], lane["destination"]["key"], day, average)
`;
}

function writeTypeScript(query: string): string {
  const token = isTokenNeeded ? ', Authorization: `Bearer ${process.env.RATESGRAPH_TOKEN}`' : '';
  return `const query = \`
${query}
\`;

const response = await fetch('${endpoint()}', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json'${token} },
  body: JSON.stringify({ query }),
});
const { data, errors } = await response.json();
if (errors) throw new Error(errors[0].message);
const { from, lanes } = data.priceSeries;
for (const lane of lanes) {
  lane.averages.forEach((average: number | null, index: number) =>
    console.log(lane.origin.key, lane.destination.key, from[index], average),
  );
}
`;
}
