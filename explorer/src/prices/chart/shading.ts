import type uPlot from 'uplot';
import type { LaneSeries } from '../data/model';
import type { Colours } from './colours';

const FOOT_HEIGHT = 10;
const HATCH_DISTANCE = 5;

/** Shades the buckets without an average of a lane, and hatches the foot of those with too few prices. */
export function shadeGaps(plot: uPlot, series: LaneSeries, colours: Colours, bucketWidth: number): void {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const times = plot.data[0] as number[];
  const ratio = devicePixelRatio;
  const edge = (index: number, side: -1 | 1): number =>
    plot.valToPos((times[index] ?? 0) + (side * bucketWidth) / 2, 'x', true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  for (const [first, last] of findRuns(series.averages.map((average) => average === null))) {
    const [start, end] = [edge(first, -1), edge(last, 1)];
    ctx.fillStyle = colours.gap;
    ctx.fillRect(start, top, end - start, height);
  }
  for (const [first, last] of findRuns(series.reasons.map((reason) => reason === 'BELOW_MINIMUM_SAMPLE'))) {
    const foot = FOOT_HEIGHT * ratio;
    hatch(ctx, edge(first, -1), top + height - foot, edge(last, 1), top + height, colours.hatch, ratio);
  }
  ctx.restore();
}

/** First and last index of each unbroken run of true. */
export function findRuns(flags: boolean[]): [number, number][] {
  const runs: [number, number][] = [];
  flags.forEach((flag, index) => {
    const run = runs.at(-1);
    if (!flag) return;
    if (run && run[1] === index - 1) run[1] = index;
    else runs.push([index, index]);
  });
  return runs;
}

function hatch(
  ctx: CanvasRenderingContext2D,
  left: number,
  top: number,
  right: number,
  bottom: number,
  colour: string,
  ratio: number,
): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, bottom - top);
  ctx.clip();
  ctx.beginPath();
  const height = bottom - top;
  for (let x = left - height; x < right; x += HATCH_DISTANCE * ratio) {
    ctx.moveTo(x, bottom);
    ctx.lineTo(x + height, top);
  }
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * ratio;
  ctx.stroke();
  ctx.restore();
}
