import { formatBytes } from '../format';

/** The name of the file, its size, and the format that it seems to have. */
export function FileLine({ file, format }: { file: File; format?: string | undefined }) {
  const details = [format, formatBytes(file.size)].filter(Boolean).join(', ');
  return (
    <p class="file">
      <strong>{file.name}</strong> <span class="hint">{details}</span>
    </p>
  );
}
