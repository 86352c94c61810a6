/** What a page shows instead of its content: an error with a way on, or nothing yet. */

import type { ComponentChildren } from "preact";

export function ErrorNotice({ error, retry }: { error: string; retry?: () => void }) {
  return (
    <div class="notice notice-error" role="alert">
      <span>{error}</span>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="notice notice-empty">{children}</div>;
}
