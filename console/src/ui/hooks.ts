/** Hooks that several pages use. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { sentence } from "../api/client";

/** The time in milliseconds, again each second while `ticking`. */
export function useNow(ticking: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!ticking) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}

export interface Loaded<Value> {
  value: Value | null;
  error: string;
  loading: boolean;
  reload: () => void;
}

/** Load a value again whenever one of `inputs` changes; an older load never replaces a newer one. */
export function useLoad<Value>(
  load: (signal: AbortSignal) => Promise<Value>,
  inputs: readonly unknown[],
): Loaded<Value> {
  const [state, setState] = useState({ value: null as Value | null, error: "", loading: true });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const controller = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    latest.current(controller.signal).then(
      (value) => {
        if (!controller.signal.aborted) setState({ value, error: "", loading: false });
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        setState((before) => ({ ...before, error: sentence(error), loading: false }));
      },
    );
    return () => controller.abort();
  }, [turn, ...inputs]);
  return { ...state, reload: useCallback(() => setTurn((before) => before + 1), []) };
}

/** Whether a media query matches now. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const change = () => setMatches(media.matches);
    change();
    media.addEventListener("change", change);
    return () => media.removeEventListener("change", change);
  }, [query]);
  return matches;
}
