import { request } from '../../frame/api';
import type { CurrentLocationQuery } from '../../gql/graphql';
import { CURRENT } from '../operations';

/** Returns the location with this key as it is now, or null. The server also finds locations by alias and by name. */
export async function findCurrent(key: string): Promise<CurrentLocationQuery['location']> {
  const { location } = await request(CURRENT, { key });
  return location?.key === key ? location : null;
}
