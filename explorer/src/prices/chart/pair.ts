import uPlot from 'uplot';
import { type Colours, readColours } from './colours';
import { type ChartInput, countData, countOptions, priceData, priceOptions } from './options';
import type { Reading } from '../data/describe';

const FADE_MS = 200;
const NARROW_WIDTH = 520;

/** Days at both ends of a zoom, in seconds. */
export interface Zoom {
  min: number;
  max: number;
}

interface Listeners {
  /** The bucket under the pointer, and its distance from the left of the chart; null when the pointer leaves. */
  onPoint: (index: number | null, left: number) => void;
  onZoom: (zoom: Zoom | null) => void;
}

/** The two charts, prices and counts, with one pointer and one zoom. */
export class ChartPair {
  private charts: uPlot[] = [];
  private zoom: Zoom | null = null;
  private buckets = '';
  private hasRange = false;
  private opacity = 1;

  constructor(
    private readonly prices: HTMLElement,
    private readonly counts: HTMLElement,
    private readonly listeners: Listeners,
  ) {}

  /** Redraws both charts. The zoom stays while the buckets are the same. */
  draw(reading: Reading, width: number): void {
    const buckets = JSON.stringify([reading.set.from[0], reading.set.from.at(-1), reading.set.interval]);
    if (buckets !== this.buckets) this.setZoom(null);
    this.buckets = buckets;
    const pointer = this.charts[0]?.cursor;
    this.destroy();
    const colours: Colours = readColours(this.prices);
    const input: ChartInput = { ...reading, colours, width, isNarrow: width < NARROW_WIDTH, fade: () => this.opacity };
    this.fadeIn(reading.range !== null);
    const options = priceOptions(input);
    this.listen(options, reading.set.from.length);
    this.charts = [new uPlot(options, priceData(reading), this.prices), new uPlot(countOptions(input), countData(reading), this.counts)];
    if (this.zoom) this.applyZoom(this.zoom);
    if (pointer?.left !== undefined && pointer.left >= 0) this.charts[0]?.setCursor({ left: pointer.left, top: pointer.top ?? 0 });
  }

  /** Points to a bucket, as the slider does. */
  point(index: number): void {
    const chart = this.charts[0];
    const time = chart?.data[0][index];
    if (chart && time !== undefined) chart.setCursor({ left: chart.valToPos(time, 'x'), top: chart.over.clientHeight / 2 });
  }

  unpoint(): void {
    this.charts[0]?.setCursor({ left: -10, top: -10 });
  }

  resetZoom(): void {
    this.setZoom(null);
    for (const chart of this.charts) chart.setData(chart.data, true);
  }

  get canvases(): HTMLCanvasElement[] {
    return this.charts.map((chart) => chart.ctx.canvas);
  }

  destroy(): void {
    for (const chart of this.charts) chart.destroy();
    this.charts = [];
  }

  private listen(options: uPlot.Options, buckets: number): void {
    const { onPoint } = this.listeners;
    options.hooks = {
      ...options.hooks,
      setCursor: [
        ({ cursor, over }) => {
          const isInside = cursor.left !== undefined && cursor.left >= 0 && cursor.idx != null && cursor.idx < buckets;
          onPoint(isInside ? (cursor.idx ?? null) : null, over.offsetLeft + (cursor.left ?? 0));
        },
      ],
      setScale: [
        (chart, key) => {
          const { min, max } = chart.scales.x ?? {};
          const [first, last] = [chart.data[0][0], chart.data[0].at(-1)];
          if (key !== 'x' || min == null || max == null || first === undefined || last === undefined) return;
          const isWhole = min <= first && max >= last;
          this.setZoom(isWhole ? null : { min, max });
        },
      ],
    };
  }

  private setZoom(zoom: Zoom | null): void {
    if (zoom === this.zoom) return;
    this.zoom = zoom;
    this.listeners.onZoom(zoom);
  }

  private applyZoom(zoom: Zoom): void {
    for (const chart of this.charts) chart.setScale('x', zoom);
  }

  /** A range that was not there before fades in. */
  private fadeIn(hasRange: boolean): void {
    const isNew = hasRange && !this.hasRange;
    this.hasRange = hasRange;
    if (!isNew || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    const start = performance.now();
    this.opacity = 0;
    const step = (now: number): void => {
      this.opacity = Math.min(1, (now - start) / FADE_MS);
      this.charts[0]?.redraw(false);
      if (this.opacity < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}
