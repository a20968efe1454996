import uPlot from 'uplot';
import { type Colours, readColours } from './colours';
import { type ChartInput, countData, countOptions, priceData, priceOptions, scaleOfZoom } from './options';
import type { Reading } from '../data/describe';
import { findZoom, type Zoom } from './zoom';

const FADE_MS = 200;
const NARROW_WIDTH = 520;

interface Listeners {
  /** The bucket under the pointer, and its distance from the left of the chart; null when the pointer leaves. */
  onPoint: (index: number | null, left: number) => void;
  /** The user zooms. The charts follow when they are drawn with this zoom. */
  onZoom: (zoom: Zoom | null) => void;
}

/** The two charts, prices and counts, with one pointer and one zoom. */
export class ChartPair {
  private charts: uPlot[] = [];
  private hasRange = false;
  private opacity = 1;

  constructor(
    private readonly prices: HTMLElement,
    private readonly counts: HTMLElement,
    private readonly listeners: Listeners,
  ) {}

  /** Redraws both charts. */
  draw(reading: Reading, zoom: Zoom | null, width: number): void {
    const pointer = this.charts[0]?.cursor;
    this.destroy();
    const colours: Colours = readColours(this.prices);
    const input: ChartInput = { ...reading, colours, width, isNarrow: width < NARROW_WIDTH, fade: () => this.opacity };
    this.fadeIn(reading.range !== null);
    const options = priceOptions(input);
    this.listen(options, reading.set.from.length);
    this.charts = [new uPlot(options, priceData(reading), this.prices), new uPlot(countOptions(input), countData(reading), this.counts)];
    for (const chart of this.charts) {
      if (zoom) chart.setScale('x', scaleOfZoom(reading, zoom));
      chart.over.addEventListener('dblclick', () => this.listeners.onZoom(null));
    }
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

  get canvases(): HTMLCanvasElement[] {
    return this.charts.map((chart) => chart.ctx.canvas);
  }

  destroy(): void {
    for (const chart of this.charts) chart.destroy();
    this.charts = [];
  }

  private listen(options: uPlot.Options, buckets: number): void {
    const { onPoint, onZoom } = this.listeners;
    options.hooks = {
      ...options.hooks,
      setCursor: [
        ({ cursor, over }) => {
          const isInside = cursor.left !== undefined && cursor.left >= 0 && cursor.idx != null && cursor.idx < buckets;
          onPoint(isInside ? (cursor.idx ?? null) : null, over.offsetLeft + (cursor.left ?? 0));
        },
      ],
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          for (const each of this.charts) each.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          onZoom(findZoom(chart.data[0], chart.posToVal(left, 'x'), chart.posToVal(left + width, 'x')));
        },
      ],
    };
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
