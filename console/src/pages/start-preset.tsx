/** The choice of what the job may do. */

import { type Form, PRESETS } from "./start-body";

interface PresetProps {
  form: Form;
  change: (changes: Partial<Form>) => void;
  error: string | undefined;
}

export function PresetChoice({ form, change, error }: PresetProps) {
  const overridden = ["ask", "tools", "permission_mode"].filter((name) => form.others[name]);
  return (
    <fieldset class="start-presets">
      <legend>Rights</legend>
      {PRESETS.map((preset) => (
        <label key={preset.name} class={`start-preset start-preset-${preset.name}`}>
          <input
            type="radio"
            name="preset"
            value={preset.name}
            aria-labelledby={`preset-${preset.name}`}
            aria-describedby={`explained-${preset.name}`}
            checked={form.preset === preset.name}
            onChange={() => change({ preset: preset.name })}
          />
          <span>
            <strong id={`preset-${preset.name}`}>{preset.title}</strong>
            <span id={`explained-${preset.name}`} class="start-explanation">
              {preset.explanation}
            </span>
          </span>
        </label>
      ))}
      {overridden.length > 0 && (
        <p class="start-problem">Changed below by: {overridden.join(", ")}.</p>
      )}
      {error && (
        <p class="start-problem" role="alert">
          {error}
        </p>
      )}
    </fieldset>
  );
}
