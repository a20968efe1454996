import type { OnError } from '../../gql/graphql';
import { texts } from '../texts';

/** A file to upload, with what identifies it on the server. */
export interface Source {
  file: File;
  /** The format as the first bytes and the name suggest. The server decides by the content. */
  format: string;
  /** Whether the content is identified, so that the server recognises an earlier upload of it. */
  isIdentified: boolean;
  /** The idempotency key, which makes it safe to send again. */
  keyOf: (onError: OnError) => string;
  /** A key for the same content that no earlier upload has used. */
  freshKey: string;
}

export class UnreadableFile extends Error {}

const HEAD_BYTES = 512;
const TEXT = new TextDecoder();

/** Reads a file. Throws UnreadableFile for a folder, and for a file that was changed or removed since it was chosen. */
export async function readSource(file: File): Promise<Source> {
  const head = await readHead(file);
  const digest = await findDigest(file);
  const freshKey = `again:${randomHex()}`;
  const content = digest ? `file:sha256:${digest}` : `page:${randomHex()}`;
  return {
    file,
    format: guessFormat(file.name, head),
    isIdentified: digest !== null,
    keyOf: (onError) => `${content}:${onError}`,
    freshKey,
  };
}

/** Whether the file can still be read: browsers refuse one that has changed since it was chosen. */
export async function isReadable(file: File): Promise<boolean> {
  return readHead(file).then(() => true, () => false);
}

async function readHead(file: File): Promise<Uint8Array> {
  try {
    return new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  } catch {
    throw new UnreadableFile(texts.unreadableFile(file.name));
  }
}

/** SHA-256 as the command line computes it, or null where the browser offers no digests (`http:` on another machine). */
async function findDigest(file: File): Promise<string | null> {
  // Undefined in an insecure context, contrary to its type.
  const subtle = crypto.subtle as SubtleCrypto | undefined;
  if (!subtle) return null;
  try {
    return toHex(new Uint8Array(await subtle.digest('SHA-256', await file.arrayBuffer())));
  } catch {
    // The file is too large for this browser's memory.
    return null;
  }
}

function guessFormat(name: string, head: Uint8Array): string {
  const isNdjson = /\.(ndjson|jsonl)(\.gz)?$/i.test(name);
  if (startsWith(head, [0x1f, 0x8b])) return isNdjson ? texts.formats.ndjsonGzip : texts.formats.csvGzip;
  const text = TEXT.decode(head);
  if (/^PAR[1E]/.test(text)) return texts.formats.parquet;
  if (startsWith(head, [0x50, 0x4b])) return texts.formats.workbook;
  if (/^\s*\{/.test(text) || isNdjson) return texts.formats.ndjson;
  const isUtf16 = startsWith(head, [0xff, 0xfe]) || startsWith(head, [0xfe, 0xff]);
  if (head.includes(0) && !isUtf16) return texts.formats.unknown;
  return texts.formats.csv;
}

function startsWith(head: Uint8Array, bytes: number[]): boolean {
  return bytes.every((byte, index) => head[index] === byte);
}

/** 128 random bits. `crypto.randomUUID` does not exist in insecure contexts. */
const randomHex = (): string => toHex(crypto.getRandomValues(new Uint8Array(16)));

const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
