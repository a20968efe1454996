/** Copies a text. Returns false where the browser refuses: it offers the clipboard only on https and on this machine. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
