import { useEffect, useRef, useState } from 'preact/hooks';
import { getToken, onTokenChange, requestHeaders } from '../../frame/api';
import type { Lane } from '../state/view';
import { texts } from '../texts';
import { PRICES_CHANGED } from './operations';

export interface LiveState {
  /** Text about the last change or the lost connection; empty without one. */
  message: string;
  /** Tells whether the pointer is over the chart, which then does not change under it. */
  onHover: (isOver: boolean) => void;
}

/** Refreshes the page when prices of its lanes change, by a subscription over one WebSocket. */
export function useLiveRefresh(lanes: Lane[], refresh: () => void): LiveState {
  const [message, setMessage] = useState('');
  const [token, setToken] = useState(getToken());
  const isOver = useRef(false);
  const isPending = useRef(false);
  const key = JSON.stringify(lanes.map(({ origin, destination }) => ({ origin, destination })));

  const latest = useRef(refresh);
  latest.current = refresh;
  const update = () => {
    isPending.current = false;
    latest.current();
    setMessage(texts.live.updated(new Date().toLocaleTimeString(texts.locale)));
  };
  useEffect(() => onTokenChange(() => setToken(getToken())), []);
  useEffect(() => {
    const asked = JSON.parse(key) as Lane[];
    if (asked.length === 0) return;
    const onChange = () => {
      isPending.current = isOver.current;
      if (isOver.current) setMessage(texts.live.waiting);
      else update();
    };
    const onReconnect = () => {
      latest.current();
      setMessage(texts.live.back(new Date().toLocaleTimeString(texts.locale)));
    };
    let isEnded = false;
    let stop = () => undefined as void;
    // The chart does not wait for this module.
    import('./subscription').then(({ subscribe }) => {
      const listeners = { onChange, onLost: () => setMessage(texts.live.lost), onReconnect };
      if (!isEnded) stop = subscribe(PRICES_CHANGED.toString(), { lanes: asked }, requestHeaders(), listeners);
    }, () => undefined);
    return () => {
      isEnded = true;
      stop();
    };
  }, [key, token]);
  const onHover = (isInside: boolean) => {
    isOver.current = isInside;
    if (!isInside && isPending.current) update();
  };
  return { message, onHover };
}
