/** The folder of the job, completed while it is typed. */

import { useEffect, useRef, useState } from "preact/hooks";
import { get, withQuery } from "../api/client";
import type { Folders } from "../api/types";
import { exact } from "../conversation/visible-text";
import { folder } from "../ui/format";
import { useLoad } from "../ui/hooks";
import { FieldFrame } from "./start-field";

interface FolderProps {
  value: string;
  change: (path: string) => void;
  error: string | undefined;
}

const MOST_BUTTONS = 5;

export function FolderField({ value, change, error }: FolderProps) {
  const top = useLoad((signal) => get<Folders>("/folders", {}, signal), []);
  const [typing, setTyping] = useState(false);
  const found = useCompletions(typing ? value : "");
  const recent = top.value?.recent ?? [];
  const roots = top.value?.folders.map((each) => each.path) ?? [];
  const options = new Set([...found, ...recent, ...roots]);
  const latest = recent[0] ?? (roots.length === 1 ? roots[0] : undefined);
  const isChosen = useRef(false);
  useEffect(() => {
    // The folder of the last job is the best guess, unless the user is about to write another.
    if (value === "" && latest !== undefined && !isChosen.current) change(latest);
  }, [latest]);
  return (
    <FieldFrame name="cwd" title="Folder" error={error}>
      <input
        id="field-cwd"
        value={value}
        list="folders"
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        aria-invalid={error !== undefined}
        placeholder="/full/path/of/a/folder"
        onFocus={() => (isChosen.current = true)}
        onInput={(event) => {
          setTyping(true);
          change(event.currentTarget.value);
        }}
      />
      <datalist id="folders">
        {[...options].map((path) => (
          <option key={path} value={path} />
        ))}
      </datalist>
      {recent.length > 1 && (
        <div class="row start-recent" role="group" aria-label="Folders used lately">
          {recent.slice(0, MOST_BUTTONS).map((path) => (
            <button
              key={path}
              type="button"
              title={path}
              aria-pressed={path === value}
              onClick={() => change(path)}
            >
              {exact(folder(path))}
            </button>
          ))}
        </div>
      )}
    </FieldFrame>
  );
}

// Milliseconds after the last key until folders are asked for.
const TYPING_PAUSE = 150;

/** The folders whose paths begin with what is typed. */
function useCompletions(typed: string): string[] {
  const [found, setFound] = useState<string[]>([]);
  useEffect(() => {
    const end = typed.lastIndexOf("/");
    if (!typed.startsWith("/")) return setFound([]);
    const controller = new AbortController();
    const timer = setTimeout(() => {
      const query = { path: typed.slice(0, end) || "/", prefix: typed.slice(end + 1) };
      get<Folders>(withQuery("/folders", query), {}, controller.signal).then(
        ({ folders }) => setFound(folders.map((each) => each.path)),
        // A folder that is not there, or may not be listed, has no completions.
        () => !controller.signal.aborted && setFound([]),
      );
    }, TYPING_PAUSE);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [typed]);
  return found;
}
