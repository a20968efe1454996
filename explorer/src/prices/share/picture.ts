import { DASHES, readColours } from '../chart/colours';
import { formatDay } from '../data/format';
import { nameOf, type SeriesSet } from '../data/model';
import { texts as frame } from '../../frame/texts';
import { texts } from '../texts';

const MARGIN = 24;
const LINE_HEIGHT = 24;
const SWATCH = 28;

/** The charts as a picture, with title and legend, in the colours of the page. */
export function drawPicture(
  charts: HTMLCanvasElement[],
  set: SeriesSet,
  selected: number,
  isDemo: boolean,
): Promise<Blob | null> {
  const canvas = document.createElement('canvas');
  const ctx = canvas.getContext('2d');
  if (!ctx) return Promise.resolve(null);
  const ratio = devicePixelRatio;
  const top = MARGIN + LINE_HEIGHT * (set.lanes.length + 1.5);
  canvas.width = Math.max(...charts.map(({ width }) => width)) + 2 * MARGIN * ratio;
  canvas.height = charts.reduce((sum, { height }) => sum + height, 0) + (top + MARGIN + LINE_HEIGHT) * ratio;
  const colours = readColours(document.body);
  ctx.scale(ratio, ratio);
  ctx.fillStyle = colours.card;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  const write = (text: string, x: number, y: number, font: string, colour: string) => {
    ctx.font = `${font} system-ui, sans-serif`;
    ctx.fillStyle = colour;
    ctx.fillText(text, x, y);
  };
  const period = [set.from[0] ?? '', set.to.at(-1) ?? ''].map(formatDay);
  write(texts.share.pictureTitle(texts.units[set.interval], set.currency, period[0] ?? '', period[1] ?? ''), MARGIN, MARGIN + 14, '600 17px', colours.ink);
  set.lanes.forEach((lane, index) => {
    const y = MARGIN + LINE_HEIGHT * (index + 1.5) + 10;
    ctx.beginPath();
    ctx.setLineDash(DASHES[lane.place] ?? []);
    ctx.strokeStyle = colours.lanes[lane.place] ?? colours.ink;
    ctx.lineWidth = 3;
    ctx.moveTo(MARGIN, y - 5);
    ctx.lineTo(MARGIN + SWATCH, y - 5);
    ctx.stroke();
    const isSelected = lane.place === selected;
    const note = isSelected ? ` – ${texts.share.pictureRange}` : '';
    write(`${nameOf(lane.shown)}${note}`, MARGIN + SWATCH + 8, y, '14px', colours.ink);
  });
  let y = top * ratio;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  for (const chart of charts) {
    ctx.drawImage(chart, MARGIN * ratio, y);
    y += chart.height;
  }
  ctx.scale(ratio, ratio);
  write(isDemo ? frame.demo : location.host, MARGIN, y / ratio + LINE_HEIGHT, '12px', colours.muted);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}
