/** The form for questions of the model that have choices (AskUserQuestion). */

import { useState } from "preact/hooks";
import type { Question } from "../api/types";
import { asFields, asList, asText } from "../conversation/fields";
import { visible } from "../conversation/visible-text";

export type Answers = Record<string, string | string[]>;

interface Asked {
  text: string;
  header: string;
  isMulti: boolean;
  options: { label: string; description: string }[];
}

interface QuestionChoicesProps {
  question: Question;
  busy: boolean;
  send: (answers: Answers) => void;
  decline: (message: string) => void;
}

export function QuestionChoices({ question, busy, send, decline }: QuestionChoicesProps) {
  const asked = askedIn(question);
  const [chosen, setChosen] = useState<string[][]>(asked.map(() => []));
  const [others, setOthers] = useState<string[]>(asked.map(() => ""));
  const complete = asked.every((_, at) => answerOf(at).length > 0);

  function answerOf(at: number): string[] {
    const other = others[at]?.trim() ?? "";
    return [...(chosen[at] ?? []), ...(other ? [other] : [])];
  }

  function submit(event: Event): void {
    event.preventDefault();
    const answers: Answers = {};
    asked.forEach((each, at) => {
      const found = answerOf(at);
      answers[each.text] = each.isMulti ? found : (found.at(-1) ?? "");
    });
    send(answers);
  }

  return (
    <form class="question-choices" onSubmit={submit}>
      {asked.map((each, at) => (
        <Choice
          key={at}
          asked={each}
          name={`${question.question_id}-${at}`}
          chosen={chosen[at] ?? []}
          other={others[at] ?? ""}
          choose={(labels) => setChosen(replaced(chosen, at, labels))}
          setOther={(text) => {
            setOthers(replaced(others, at, text));
            if (!each.isMulti && text) setChosen(replaced(chosen, at, []));
          }}
        />
      ))}
      <div class="row">
        <button type="submit" class="primary" disabled={busy || !complete}>
          Answer
        </button>
        <button type="button" disabled={busy} onClick={() => decline("")}>
          Do not answer
        </button>
      </div>
    </form>
  );
}

interface ChoiceProps {
  asked: Asked;
  name: string;
  chosen: string[];
  other: string;
  choose: (labels: string[]) => void;
  setOther: (text: string) => void;
}

function Choice({ asked, name, chosen, other, choose, setOther }: ChoiceProps) {
  function toggle(label: string, on: boolean): void {
    if (!asked.isMulti) {
      choose([label]);
      setOther("");
    } else choose(on ? [...chosen, label] : chosen.filter((each) => each !== label));
  }
  return (
    <fieldset class="question-choice">
      <legend dir="auto">
        {asked.header && <span class="badge">{visible(asked.header)}</span>} {visible(asked.text)}
      </legend>
      {asked.options.map((option) => (
        <label key={option.label} class="question-option">
          <input
            type={asked.isMulti ? "checkbox" : "radio"}
            name={name}
            checked={chosen.includes(option.label)}
            onChange={(event) => toggle(option.label, event.currentTarget.checked)}
          />
          <span dir="auto">
            {visible(option.label)}
            {option.description && <span class="dim"> {visible(option.description)}</span>}
          </span>
        </label>
      ))}
      <label class="question-other">
        {asked.options.length > 0 ? "Other" : "Answer"}
        <input value={other} dir="auto" maxLength={10_000} onInput={(event) => setOther(event.currentTarget.value)} />
      </label>
    </fieldset>
  );
}

// The CLI asks at most 4 questions with 4 choices each; a hostile job might ask any number.
const MOST = 50;

/** The questions in the input; a question without a text cannot be answered by name. */
export function askedIn(question: Question): Asked[] {
  return asList(question.input.questions)
    .slice(0, MOST)
    .map(asFields)
    .filter((each) => typeof each.question === "string")
    .map((each) => ({
      text: asText(each.question),
      header: asText(each.header),
      isMulti: each.multiSelect === true,
      options: asList(each.options)
        .slice(0, MOST)
        .map(asFields)
        .map((option) => ({ label: asText(option.label), description: asText(option.description) }))
        .filter((option) => option.label !== ""),
    }));
}

function replaced<Value>(values: Value[], at: number, value: Value): Value[] {
  return values.map((each, index) => (index === at ? value : each));
}
