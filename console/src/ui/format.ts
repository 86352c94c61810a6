/** Amounts and times as people read them. Pure; the language is English, the zone the browser's. */

/** `4.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** US dollars: `$0.0042`, `$1.25`; "" without a cost. */
export function cost(dollars: number | null | undefined): string {
  if (dollars == null) return "";
  if (dollars === 0) return "$0";
  return dollars < 0.1 ? `$${dollars.toFixed(4)}` : `$${dollars.toFixed(2)}`;
}

/** `950`, `12.3k`, `4.6M`. */
export function count(amount: number): string {
  if (amount < 1000) return String(amount);
  if (amount < 999_950) return `${(amount / 1000).toFixed(1)}k`;
  return `${(amount / 1_000_000).toFixed(1)}M`;
}

/** `512 B`, `1.5 KB`, `20 MB`. */
export function bytes(amount: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${amount < 10 && unit > 0 ? amount.toFixed(1) : Math.round(amount)} ${units[unit]}`;
}

/** The last two parts of a folder's path: `…/web/shop`. */
export function folder(path: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  return parts.length <= 2 ? path : `…/${parts.slice(-2).join("/")}`;
}

/** A model's name without what all have, and without its date: `sonnet-4-5`. */
export function modelName(name: string): string {
  return name.replace(/^claude-/, "").replace(/-\d{8}$/, "");
}

/** `14:05` today, `Nov 24, 14:05` this year, else with the year. */
export function moment(timestamp: string, now = new Date()): string {
  const at = new Date(timestamp);
  if (Number.isNaN(at.getTime())) return "";
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (at.toDateString() === now.toDateString()) return time;
  const year = at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" as const };
  return `${at.toLocaleDateString("en-US", { month: "short", day: "numeric", ...year })}, ${time}`;
}

/** The words of a table for a name; a name that it does not have (it may be any), as words. */
export function wordsFor(table: Record<string, string>, name: string): string {
  return (Object.hasOwn(table, name) && table[name]) || words(name);
}

/** `timed_out` as `timed out`. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}
