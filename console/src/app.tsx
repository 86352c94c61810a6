/** The frame of every page: navigation, the state of the connection, messages, keys. */

import { useEffect, useState } from "preact/hooks";
import { GatewayPage } from "./pages/gateway";
import { JobPage } from "./pages/job";
import { JobsPage } from "./pages/jobs";
import { QuestionsPage } from "./pages/questions";
import { SessionPage } from "./pages/session";
import { SessionsPage } from "./pages/sessions";
import { SignInPage } from "./pages/sign-in";
import { StartPage } from "./pages/start";
import { UsagePage } from "./pages/usage";
import { go, isId, link, place } from "./router";
import { connected, liveError, questions, start, stop } from "./state/live";
import { leave, me } from "./state/session";
import { Guard } from "./ui/guard";
import { KeyHelp, useKey } from "./ui/keys";
import { clearToasts, Toasts } from "./ui/toast";

const PAGES = [
  { name: "jobs", title: "Jobs" },
  { name: "questions", title: "Questions" },
  { name: "sessions", title: "Sessions" },
  { name: "new", title: "Start" },
  { name: "use", title: "Use" },
  { name: "gateway", title: "Gateway", operator: true },
];

export function App() {
  const user = me.value;
  useEffect(() => {
    if (!user) return;
    start();
    return () => {
      stop();
      clearToasts();
    };
  }, [user]);
  if (user === undefined) return <p class="notice">Loading…</p>;
  if (user === null) return <SignInPage />;
  return (
    <>
      <a class="skip" href="#content" onClick={skipToContent}>
        Skip to the content
      </a>
      <Header />
      <Banner />
      <main id="content" tabIndex={-1}>
        <Guard key={place.value.path.join("/")} otherwise={BROKEN}>
          <Page />
        </Guard>
      </main>
      <Toasts />
    </>
  );
}

const BROKEN = "This page cannot be shown. Reload it, or go to another one.";

function skipToContent(event: Event): void {
  // The address after the # is the page's.
  event.preventDefault();
  document.getElementById("content")?.focus();
}

function Header() {
  const [page = "jobs"] = place.value.path;
  const [help, setHelp] = useState(false);
  useKey("n", "Start a job", () => go(link("new")));
  useKey("?", "Show this", () => setHelp(true));
  const open = questions.value.length;
  return (
    <header class="bar">
      <nav aria-label="Pages">
        {PAGES.filter((each) => !each.operator || me.value?.operator).map((each) => (
          <a
            key={each.name}
            href={link(each.name)}
            class={each.name === page ? "here" : ""}
            aria-current={each.name === page ? "page" : undefined}
          >
            {each.title}
            {each.name === "questions" && open > 0 && (
              <span class="count" aria-label={`${open} open`}>
                {open}
              </span>
            )}
          </a>
        ))}
      </nav>
      <span class="who">
        <span class="wide-only">{me.value?.user}</span>
        <button type="button" class="quiet" onClick={() => setHelp(true)} aria-label="Keys and account">
          ?
        </button>
        <button type="button" class="quiet wide-only" onClick={leave}>
          Sign out
        </button>
      </span>
      {help && (
        <KeyHelp close={() => setHelp(false)}>
          <p class="row">
            Signed in as {me.value?.user}.
            <button type="button" onClick={leave}>
              Sign out
            </button>
          </p>
        </KeyHelp>
      )}
    </header>
  );
}

function Banner() {
  if (liveError.value) {
    return (
      <p class="banner" role="alert">
        No live changes: {liveError.value}
      </p>
    );
  }
  if (connected.value) return null;
  return (
    <p class="banner" role="status">
      The connection to the gateway is gone. Connecting again…
    </p>
  );
}

function Page() {
  const [page = "jobs", id] = place.value.path;
  if (id !== undefined && !isId(id)) return <NoPage />;
  switch (page) {
    case "jobs":
      return id ? <JobPage key={id} id={id} /> : <JobsPage />;
    case "questions":
      return <QuestionsPage />;
    case "sessions":
      return id ? <SessionPage key={id} id={id} /> : <SessionsPage />;
    case "new":
      return <StartPage />;
    case "use":
      return <UsagePage />;
    case "gateway":
      return <GatewayPage />;
    default:
      return <NoPage />;
  }
}

function NoPage() {
  return (
    <section class="page">
      <h1>There is no page here</h1>
      <p>
        <a href={link("jobs")}>Go to the jobs</a>
      </p>
    </section>
  );
}
