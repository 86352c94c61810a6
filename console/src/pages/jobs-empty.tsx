/** What the list shows without a job. */

import { asCurl } from "../api/code";
import { usesKey } from "../api/credentials";
import { link } from "../router";
import { me } from "../state/session";
import { address } from "../ui/address";
import { CopyButton } from "../ui/copy";
import { Empty } from "../ui/notice";

export function NoJobs({ loading, filtered }: { loading: boolean; filtered: boolean }) {
  if (loading) return <Empty>Loading…</Empty>;
  if (filtered) {
    return (
      <Empty>
        <p>No job fits.</p>
        <a class="button" href={link("jobs")}>
          Show all jobs
        </a>
      </Empty>
    );
  }
  const body = { prompt: "Which files are here?", cwd: "/tmp" };
  const command = asCurl({ address: address(), user: usesKey() ? "" : (me.value?.user ?? ""), body });
  return (
    <Empty>
      <p>There are no jobs yet.</p>
      <a class="button primary" href={link("new")}>
        Start a job
      </a>
      <p>Or from a terminal:</p>
      <div class="card jobs-curl">
        <pre>{command}</pre>
        <CopyButton text={command} />
      </div>
    </Empty>
  );
}
