/** Names for the shapes of the API that the console uses; `schema.d.ts` is made from /openapi.json. */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Me = Schemas["Identity"];

/** A job, as GET /jobs?short=true and the events have it. */
export type JobRow = Schemas["JobRow"];
export type JobRecord = Schemas["JobRecord"];
export type Status = JobRow["status"];
export type Totals = Schemas["Totals"];

export interface JobList {
  jobs: JobRow[];
  count: number;
  totals?: Totals;
}

/** What was asked of a job. */
export type JobRequest = Schemas["Asked"];

/** A part of a prompt or message. */
export interface Block {
  type: string;
  text?: string;
  [name: string]: unknown;
}

/** A question; one that was answered has `closed`, in GET /jobs/{id}/questions?all=true. */
export type Question = Schemas["JobQuestion"];
export type ClosedQuestion = Schemas["ClosedQuestion"];

/** A run, as the events have it: in GET /runs none has ended. */
export type RunRow = Schemas["ChangedRun"];

export type SessionRow = Schemas["SessionRow"];
export type SessionList = Schemas["SessionRows"];
export type Session = Schemas["SessionDetails"];

export type Usage = Schemas["Usage"];
export type UsageSums = Schemas["UsageTotal"];

export type Folders = Schemas["FolderList"];

export type DoctorRow = Schemas["Row"];
export type SettingRow = Schemas["Setting"];
export type SettingsAnswer = Schemas["SettingsInEffect"];
