import 'uplot/dist/uPlot.min.css';
import { type MutableRef, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { describeBucket, type Reading, readAloud } from '../data/describe';
import { formatBucket } from '../data/format';
import { nameOf } from '../data/model';
import { texts } from '../texts';
import { onColoursChange } from './colours';
import type { Period } from '../state/period';
import { ChartPair } from './pair';
import { Tooltip } from './Tooltip';
import { toDays, toZoom } from './zoom';

interface Props extends Reading {
  /** The canvases of the charts, for a picture. */
  canvases: MutableRef<() => HTMLCanvasElement[]>;
  onHover: (isOver: boolean) => void;
  /** The days that the chart is zoomed to. */
  zoomDays: Period | null;
  onZoom: (days: Period | null) => void;
}

interface Pointed {
  index: number;
  left: number;
}

/** The chart with its tooltip, and the slider that reads it out. */
export function Chart({ canvases, onHover, zoomDays, onZoom, ...reading }: Props) {
  const { set, selected, range } = reading;
  const frame = useRef<HTMLDivElement>(null);
  const prices = useRef<HTMLDivElement>(null);
  const counts = useRef<HTMLDivElement>(null);
  const pair = useRef<ChartPair | null>(null);
  const [pointed, setPointed] = useState<Pointed | null>(null);
  const zoom = useMemo(() => toZoom(set, zoomDays), [set, zoomDays]);
  const zoomTo = useRef(onZoom);
  zoomTo.current = onZoom;
  const shown = useRef(set);
  shown.current = set;
  const [width, setWidth] = useState(0);
  const [turn, setTurn] = useState(0);

  useLayoutEffect(() => {
    if (!frame.current || !prices.current || !counts.current) return;
    const charts = new ChartPair(prices.current, counts.current, {
      onPoint: (index, left) => setPointed(index === null ? null : { index, left }),
      onZoom: (chosen) => zoomTo.current(toDays(shown.current, chosen)),
    });
    pair.current = charts;
    canvases.current = () => charts.canvases;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(frame.current);
    setWidth(Math.floor(frame.current.clientWidth));
    return () => {
      observer.disconnect();
      charts.destroy();
      canvases.current = () => [];
    };
  }, []);
  useEffect(() => onColoursChange(() => setTurn((number) => number + 1)), []);
  useLayoutEffect(() => {
    if (width > 0) pair.current?.draw(reading, zoom, width);
  }, [set, selected, range, zoom, width, turn]);

  const names = set.lanes.map((lane) => nameOf(lane.shown)).join(', ');
  const name = (index: number) => formatBucket(set.from[index] ?? '', set.to[index] ?? '', set.interval);
  const label = texts.chart.label(names, name(0), name(set.from.length - 1));
  return (
    <div class="chart" ref={frame} onPointerEnter={() => onHover(true)} onPointerLeave={() => onHover(false)}>
      <div class="plots" role="img" aria-label={label}>
        <div ref={prices} />
        <div ref={counts} />
      </div>
      {pointed && <Tooltip bucket={describeBucket(reading, pointed.index)} left={pointed.left} width={width} />}
      <DaySlider
        count={set.from.length}
        describe={(index) => readAloud(describeBucket(reading, index))}
        onPoint={(index) => pair.current?.point(index)}
        onLeave={() => pair.current?.unpoint()}
      />
      {zoom && <button type="button" class="quiet small reset" onClick={() => onZoom(null)}>{texts.chart.resetZoom}</button>}
    </div>
  );
}

interface SliderProps {
  count: number;
  describe: (index: number) => string;
  onPoint: (index: number) => void;
  onLeave: () => void;
}

/** Reads the chart out by the keyboard and by touch: a native slider, which screen readers know. */
function DaySlider({ count, describe, onPoint, onLeave }: SliderProps) {
  const [index, setIndex] = useState(count - 1);
  const shown = Math.min(index, count - 1);
  useEffect(() => setIndex(count - 1), [count]);
  return (
    <input
      class="day-slider"
      type="range"
      min={0}
      max={Math.max(0, count - 1)}
      value={shown}
      aria-label={texts.chart.slider}
      aria-valuetext={describe(shown)}
      onFocus={() => onPoint(shown)}
      onBlur={onLeave}
      onInput={(event) => {
        const next = Number(event.currentTarget.value);
        setIndex(next);
        onPoint(next);
      }}
    />
  );
}
