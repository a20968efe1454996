import { useLayoutEffect, useRef } from 'preact/hooks';
import type { BucketText } from '../data/describe';
import { Swatch } from './Swatch';

const DISTANCE = 14;

/** The figures of the bucket under the pointer. It never covers the pointer, and stays within the chart. */
export function Tooltip({ bucket, left, width }: { bucket: BucketText; left: number; width: number }) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const box = element.current;
    if (!box) return;
    const isRight = left + DISTANCE + box.offsetWidth <= width;
    const start = isRight ? left + DISTANCE : left - DISTANCE - box.offsetWidth;
    box.style.left = `${Math.max(0, start)}px`;
  });
  return (
    <div class="tooltip" ref={element} aria-hidden="true">
      <strong>{bucket.title}</strong>
      {bucket.lanes.map(({ place, name, text }) => (
        <div key={place}>
          {bucket.lanes.length > 1 && <span class="name"><Swatch place={place} /> {name} </span>}
          <span>{text}</span>
        </div>
      ))}
    </div>
  );
}
