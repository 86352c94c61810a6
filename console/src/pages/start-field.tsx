/** The fields of the form that are made from the API's own description. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Form, OWN, PRESETS } from "./start-body";
import { type Field, typedOf } from "./start-fields";

export interface FrameProps {
  name: string;
  title: string;
  error: string | undefined;
  hint?: string;
  children: ComponentChildren;
}

/** A field with its label, its hint, and what is wrong with it. */
export function FieldFrame({ name, title, error, hint, children }: FrameProps) {
  return (
    <div class="start-field" data-field={name}>
      <label for={`field-${name}`}>{title}</label>
      {children}
      {error && (
        <p class="start-problem" id={`problem-${name}`} tabIndex={-1} role="alert">
          {error}
        </p>
      )}
      {hint && (
        <p class="dim start-hint" id={`hint-${name}`}>
          {withCode(hint)}
        </p>
      )}
    </div>
  );
}

/** The API's descriptions have code between backticks. */
function withCode(text: string): ComponentChildren {
  return text.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}

interface OtherProps {
  fields: Field[];
  form: Form;
  change: (changes: Partial<Form>) => void;
  problems: Record<string, string>;
}

export function OtherFields({ fields, form, change, problems }: OtherProps) {
  const [search, setSearch] = useState("");
  const others = fields.filter((field) => !OWN.includes(field.name));
  const wrong = others.some((field) => problems[field.name]);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    if (wrong) {
      setOpen(true);
      setSearch("");
    }
  }, [wrong]);
  const found = others.filter((field) => fitsSearch(field, search));
  const set = others.filter((field) => (form.others[field.name] ?? "") !== "").length;
  if (others.length === 0) return null;
  return (
    <details class="start-others" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        All other fields <span class="dim">({set} set)</span>
      </summary>
      <input
        type="search"
        aria-label="Search in the fields"
        placeholder="Search in the fields"
        value={search}
        onInput={(event) => setSearch(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && event.preventDefault()}
      />
      {found.map((field) => (
        <FieldFrame
          key={field.name}
          name={field.name}
          title={field.name}
          error={problems[field.name]}
          hint={field.description}
        >
          <FieldInput
            field={field}
            typed={form.others[field.name] ?? ""}
            preset={presetOf(form, field.name)}
            change={(typed) => change({ others: { ...form.others, [field.name]: typed } })}
            wrong={problems[field.name] !== undefined}
          />
        </FieldFrame>
      ))}
      {found.length === 0 && <p class="dim">No field fits.</p>}
    </details>
  );
}

function fitsSearch(field: Field, search: string): boolean {
  const text = `${field.name} ${field.name.replaceAll("_", " ")} ${field.description}`.toLowerCase();
  return text.includes(search.trim().toLowerCase());
}

/** What the chosen rights put into a field that is left empty. */
function presetOf(form: Form, name: string): string {
  const preset = PRESETS.find((each) => each.name === form.preset);
  return typedOf(preset?.fields[name]);
}

interface InputProps {
  field: Field;
  typed: string;
  preset: string;
  change: (typed: string) => void;
  wrong: boolean;
}

function FieldInput({ field, typed, preset, change, wrong }: InputProps) {
  const shared = {
    id: `field-${field.name}`,
    value: typed,
    "aria-invalid": wrong,
    "aria-describedby": `hint-${field.name}${wrong ? ` problem-${field.name}` : ""}`,
    onInput: (event: { currentTarget: { value: string } }) => change(event.currentTarget.value),
  };
  const placeholder = preset || (field.example && `for example ${field.example}`);
  switch (field.kind) {
    case "switch":
    case "choice": {
      const choices = field.kind === "switch" ? ["true", "false"] : field.choices;
      return (
        <select {...shared}>
          <option value="">{preset ? `${preset}, by the rights above` : "not set"}</option>
          {choices.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      );
    }
    case "lines": {
      const items = field.choices.length > 0 ? field.choices.join(", ") : placeholder;
      return (
        <textarea {...shared} rows={2} placeholder={items || "One in each line; [] for none"} spellcheck={false} />
      );
    }
    case "json":
      return <textarea {...shared} rows={3} class="mono" placeholder={field.example || "{ }"} spellcheck={false} />;
    case "long":
      return <textarea {...shared} rows={2} placeholder={placeholder} />;
    case "number":
      return <input {...shared} inputMode="decimal" placeholder={placeholder || bounds(field)} />;
    default:
      return <input {...shared} placeholder={placeholder} spellcheck={false} maxLength={field.longest} />;
  }
}

function bounds({ least, most }: Field): string {
  if (least !== undefined && most !== undefined) return `${least} to ${most}`;
  return least === undefined ? "a number" : `${least} or more`;
}
