import { ApiError, readAnswer, requestHeaders } from './api';
import { texts } from './texts';

/** Fetches a file of the server. A link could not send the token. Throws ApiError. */
export async function fetchFile(path: string): Promise<Blob> {
  try {
    const response = await fetch(path, { headers: requestHeaders() });
    if (!response.ok) readAnswer(response.status, response.headers.get('Retry-After'), await response.text());
    return await response.blob();
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError(0, 'OFFLINE', texts.errors.offline);
  }
}

/** Saves a file as the browser saves a download. */
export function save(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
