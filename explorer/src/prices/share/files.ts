import { ApiError, requestHeaders } from '../../frame/api';
import { texts as frameTexts } from '../../frame/texts';

/** Lowest price, quartiles and highest price become columns of a file. */
const PERCENTILES = '0,25,50,75,100';
/** What the server answers where it could give averages, but no statistics. */
const TOO_MUCH = ['TOO_MANY_PRICES', 'QUERY_TOO_COSTLY'];

/** Fetches a file of the series, without statistics where they are too much at once. Throws ApiError. */
export async function fetchSeries(path: string): Promise<{ file: Blob; hasStatistics: boolean }> {
  try {
    return { file: await fetchFile(`${path}&percentiles=${PERCENTILES}`), hasStatistics: true };
  } catch (error) {
    if (!(error instanceof ApiError) || !TOO_MUCH.includes(error.code)) throw error;
    return { file: await fetchFile(path), hasStatistics: false };
  }
}

/** A link would not send the token. */
async function fetchFile(path: string): Promise<Blob> {
  const response = await fetch(path, { headers: requestHeaders() }).catch(() => {
    throw new ApiError(0, 'OFFLINE', frameTexts.errors.offline);
  });
  if (response.ok) return response.blob();
  const body = (await response.json().catch(() => ({}))) as { errors?: { message: string; extensions?: { code?: string } }[] };
  const error = body.errors?.[0];
  const retryAfter = Number(response.headers.get('Retry-After')) || null;
  throw new ApiError(response.status, error?.extensions?.code ?? 'UNREADABLE', error?.message ?? frameTexts.errors.unreadable, retryAfter);
}

/** Saves a file as the browser saves a download. */
export function save(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
