import { ApiError, readAnswer, requestHeaders } from '../frame/api';
import { texts as frameTexts } from '../frame/texts';

/** Saves a text as a file of the user. */
export const saveText = (text: string, name: string, type: string): void => save(new Blob([text], { type }), name);

/** Saves a file of the server. A link could not send the token. Throws ApiError. */
export async function saveFromServer(path: string, name: string): Promise<void> {
  try {
    const response = await fetch(path, { headers: requestHeaders() });
    if (!response.ok) readAnswer(response.status, response.headers.get('Retry-After'), await response.text());
    save(await response.blob(), name);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError(0, 'OFFLINE', frameTexts.errors.offline);
  }
}

function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
