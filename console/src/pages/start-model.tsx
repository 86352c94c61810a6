/** The model of the job. */

import { get } from "../api/client";
import { useLoad } from "../ui/hooks";
import { FieldFrame } from "./start-field";

interface ModelProps {
  value: string;
  change: (model: string) => void;
  error: string | undefined;
}

// Names that the CLI knows; the gateway's list has those of the operator.
const ALIASES = ["sonnet", "opus", "haiku"];

export function ModelField({ value, change, error }: ModelProps) {
  const { value: models } = useLoad(
    (signal) => get<{ data: { id: string }[] }>("/v1/models", {}, signal),
    [],
  );
  const names = new Set([...ALIASES, ...(models?.data.map((each) => each.id) ?? [])]);
  return (
    <FieldFrame name="model" title="Model" error={error}>
      <input
        id="field-model"
        value={value}
        list="models"
        autocapitalize="none"
        spellcheck={false}
        aria-invalid={error !== undefined}
        placeholder="The gateway's default"
        onInput={(event) => change(event.currentTarget.value)}
      />
      <datalist id="models">
        {[...names].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </FieldFrame>
  );
}
