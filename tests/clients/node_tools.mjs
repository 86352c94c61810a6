// The clients for Node that speak to OpenAI's API have a tool called, and run it.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";

globalThis.AI_SDK_LOG_WARNINGS = false;
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const execute = async ({ city }) => `it rains in ${city}`;
const prompt = 'call: weather {"city": "Oslo"}';

const runner = new OpenAI({ maxRetries: 0 }).chat.completions.runTools({
  model: "sonnet",
  stream: true,
  messages: [{ role: "user", content: prompt }],
  tools: [{
    type: "function",
    function: { name: "weather", description: "", parameters: city, parse: JSON.parse, function: execute },
  }],
});
console.log("openai", (await runner.finalContent()).includes("it rains in Oslo"));

const baseURL = process.env.OPENAI_BASE_URL;
const apiKey = process.env.OPENAI_API_KEY;
const models = {
  "@ai-sdk/openai": createOpenAI().chat("sonnet"),
  "@ai-sdk/openai-compatible": createOpenAICompatible({
    name: "gateway", baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true,
  })("sonnet"),
};
const weather = tool({ description: "The weather", inputSchema: jsonSchema(city), execute });
for (const [name, model] of Object.entries(models)) {
  const ask = { model, tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0, prompt };
  const { text, steps } = await generateText(ask);
  console.log(name, steps.length, text.includes("it rains in Oslo"));
  const stream = streamText(ask);
  await stream.consumeStream();
  const usage = await stream.totalUsage;
  console.log(name, (await stream.text).includes("it rains in Oslo"), usage.outputTokens > 0);
  const schema = jsonSchema({
    type: "object", properties: { n: { type: "number" } }, required: ["n"], additionalProperties: false,
  });
  const { output } = await generateText({
    model, maxRetries: 0, prompt: 'json: {"n": 7}', output: Output.object({ schema }),
  });
  console.log(name, output.n);
}
