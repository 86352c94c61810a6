// Two jobs in one session, read with fetch: for Node 18 or newer and, with the three settings put
// in by hand, for browsers.
// Needs GATEWAY, AUTH_USER and AUTH_PASSWORD in the environment.
const { GATEWAY, AUTH_USER, AUTH_PASSWORD } = process.env;

// btoa alone takes no letters beyond Latin-1, and the gateway reads UTF-8.
const pair = new TextEncoder().encode(`${AUTH_USER}:${AUTH_PASSWORD}`);
const authorization = "Basic " + btoa(String.fromCharCode(...pair));

// Yields { name, data } of each event of a stream, as it comes.
async function* events(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let name = "message", data = [], rest = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    // A chunk may end anywhere, also in the middle of a line or of a letter.
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("event: ")) name = line.slice(7);
      else if (line.startsWith("data: ")) data.push(line.slice(6));
      else if (line === "") {
        if (data.length) yield { name, data: data.join("\n") };
        name = "message";
        data = [];
      }
    }
  }
}

// Runs a job and prints what Claude says; returns what the event `done` holds.
async function chat(fields) {
  const response = await fetch(`${GATEWAY}/chat`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: authorization },
    body: JSON.stringify(fields),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  for await (const { name, data } of events(response)) {
    if (name === "done") return JSON.parse(data);
    if (name === "error") throw new Error(JSON.parse(data).error);
    let line;
    try {
      line = JSON.parse(data);
    } catch {
      continue; // Not every line of the CLI's has to be JSON.
    }
    if (line?.type !== "assistant") continue;
    for (const block of line.message.content) {
      if (block.type === "text") console.log(block.text);
    }
  }
  throw new Error("the stream was cut off");
}

async function main() {
  const first = await chat({ prompt: "Remember the number 7.", cwd: "/tmp" });
  console.log(first.status, first.session_id, first.total_cost_usd);
  const second = await chat({
    prompt: "Which number was it?", cwd: "/tmp", session_id: first.session_id,
  });
  console.log(second.status);
  // To cancel a job: fetch(`${GATEWAY}/chat/${process_id}`, { method: "DELETE", headers: … })
  if (second.status !== "succeeded") throw new Error(second.error);
}

main();
