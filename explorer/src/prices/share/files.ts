import { ApiError } from '../../frame/api';
import { fetchFile } from '../../frame/download';

/** Lowest price, quartiles and highest price become columns of a file. */
const PERCENTILES = '0,25,50,75,100';
/** Codes of errors that concern the statistics, not the averages. */
const TOO_MUCH = ['TOO_MANY_PRICES', 'QUERY_TOO_COSTLY'];

/** Fetches a file of the series, without statistics where they would cost too much. Throws ApiError. */
export async function fetchSeries(path: string): Promise<{ file: Blob; hasStatistics: boolean }> {
  try {
    return { file: await fetchFile(`${path}&percentiles=${PERCENTILES}`), hasStatistics: true };
  } catch (error) {
    if (!(error instanceof ApiError) || !TOO_MUCH.includes(error.code)) throw error;
    return { file: await fetchFile(path), hasStatistics: false };
  }
}
