/** The shapes of the API that the console uses; `schema.d.ts` is made from /openapi.json. */

export interface Me {
  user: string;
  operator: boolean;
}

export type Status =
  | "queued"
  | "running"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "timed_out"
  | "lost";

/** A job, as GET /jobs?short=true and the events have it. */
export interface JobRow {
  process_id: string;
  status: Status;
  reason: string | null;
  title: string | null;
  cwd: string;
  model: string | null;
  user: string;
  session_id: string | null;
  run_id?: string | null;
  started_at: string;
  ended_at: string | null;
  duration_ms: number | null;
  total_cost_usd: number | null;
  num_turns: number | null;
  is_error: boolean | null;
  queue_position: number | null;
  open_questions: number;
  backend: string | null;
  detached: boolean;
}

export interface JobRecord extends JobRow {
  exit_code: number | null;
  signal: string | null;
  error?: string;
  stderr?: string;
  result: string | null;
  usage: Record<string, unknown> | null;
  prompt_length: number;
  messages: { message_id: string; state: string }[];
}

export type Totals = Record<Status | "waiting", number>;

export interface JobList {
  jobs: JobRow[];
  count: number;
  totals?: Totals;
}

export interface JobRequest {
  prompt: string | Block[];
  fields: Record<string, unknown>;
  messages: { message_id: string; text?: string; content?: Block[]; state: string; sent_at: string; user: string }[];
}

export interface Block {
  type: string;
  text?: string;
  [name: string]: unknown;
}

export interface Question {
  question_id: string;
  process_id: string;
  kind: "tool" | "question" | "plan";
  tool_name: string;
  input: Record<string, unknown>;
  description: string | null;
  suggestions: unknown[];
  asked_at: string;
  expires_at: string | null;
  closed?: ClosedQuestion;
}

export interface ClosedQuestion {
  behavior: string;
  user: string | null;
  at: string | null;
  message?: string | null;
  answers?: Record<string, string> | null;
}

export interface RunRow {
  run_id: string;
  state: "starting" | "busy" | "idle" | "held" | "spare" | "ended";
  session_id: string | null;
  cwd: string | null;
  model: string | null;
  user: string | null;
  jobs: number;
  idle_since: string | null;
  memory_bytes: number | null;
  own_turns: number;
  own_cost_usd: number | null;
}

export interface SessionRow {
  session_id: string;
  title: string | null;
  cwd: string | null;
  turns: number | null;
  cost_usd: number | null;
  last_used: string;
  origin: "gateway" | "terminal";
  user: string | null;
  running_job: string | null;
}

export interface SessionList {
  sessions: SessionRow[];
  count: number;
  next: string | null;
}

export interface Session extends SessionRow {
  entries: Record<string, unknown>[];
  next: string | null;
  jobs: string[];
}

export interface UsageSums {
  jobs: number;
  failed: number;
  cost_usd: number;
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_creation_tokens: number;
  duration_ms: number;
}

export interface Usage {
  from: string;
  to: string;
  by: "day" | "model" | "user";
  rows: (UsageSums & { key: string })[];
  total: UsageSums;
  starts: Record<string, { jobs: number; first_line_ms: number | null }>;
  saved_ms: number;
}

export interface Folders {
  path: string | null;
  folders: { name: string; path: string }[];
  recent: string[];
}

export interface DoctorRow {
  check: string;
  status: "ok" | "warning" | "failed";
  message: string;
  remedy: string | null;
}

export interface SettingRow {
  name: string;
  value: unknown;
  origin: string;
  default: unknown;
}
