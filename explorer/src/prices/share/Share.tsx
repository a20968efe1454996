import type { MutableRef } from 'preact/hooks';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../../frame/api';
import { save } from '../../frame/download';
import { openTokenDialog } from '../../frame/TokenDialog';
import type { SeriesQueryVariables } from '../../gql/graphql';
import type { SeriesSet } from '../data/model';
import { texts } from '../texts';
import { CodeDialog } from './CodeDialog';
import { copyText } from './clipboard';
import { fetchSeries } from './files';
import { Menu } from './Menu';
import { drawPicture } from './picture';

interface Props {
  set: SeriesSet;
  asked: SeriesQueryVariables;
  selected: number;
  canvases: MutableRef<() => HTMLCanvasElement[]>;
  /** The address of what the page shows. */
  link: string;
  /** Whether there is a chart to take a picture of. */
  hasChart: boolean;
  isDemo: boolean;
  say: (message: string) => void;
}

/** Downloads, the link to what is shown, and the query as a program. */
export function Share({ set, asked, selected, canvases, link, hasChart, isDemo, say }: Props) {
  const [problem, setProblem] = useState('');
  const [isCopied, setCopied] = useState(false);
  useEffect(() => setCopied(false), [link]);
  // What a download has met may be over.
  useEffect(() => setProblem(''), [set]);
  const dialog = useRef<HTMLDialogElement>(null);
  const name = `prices_${set.from[0] ?? ''}_${set.to.at(-1) ?? ''}`;

  const download = async (path: string, fileName: string) => {
    setProblem('');
    try {
      const { file, hasStatistics } = await fetchSeries(path);
      save(file, fileName);
      say(texts.share.downloaded(fileName));
      if (!hasStatistics) setProblem(texts.share.withoutRange);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) openTokenDialog(error);
      setProblem(error.advice);
    }
  };
  const copyLink = async () => {
    setProblem('');
    if (await copyText(link)) setCopied(true);
    else setProblem(texts.share.linkNotCopied(link));
  };
  const takePicture = async () => {
    const picture = await drawPicture(canvases.current(), set, selected, isDemo);
    if (!picture) return;
    save(picture, `${name}.png`);
    say(texts.share.downloaded(`${name}.png`));
  };
  return (
    <div class="share">
      <Menu label={texts.share.download}>
        <button type="button" onClick={() => download(set.downloads.csv, `${name}.csv`)}>{texts.share.csv}</button>
        <button type="button" onClick={() => download(set.downloads.parquet, `${name}.parquet`)}>{texts.share.parquet}</button>
        {hasChart && <button type="button" onClick={takePicture}>{texts.share.png}</button>}
      </Menu>
      <button type="button" class="quiet" onClick={copyLink}>{texts.share.link}</button>
      <button type="button" class="quiet" onClick={() => dialog.current?.showModal()}>{texts.share.code}</button>
      <span role="status" class="hint">{isCopied && texts.share.linkCopied}</span>
      {problem && <p class="warning" role="alert">{problem}</p>}
      <CodeDialog dialog={dialog} asked={asked} />
    </div>
  );
}
