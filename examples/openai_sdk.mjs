// A streamed completion with OpenAI's SDK.
// Needs OPENAI_BASE_URL and OPENAI_API_KEY in the environment.
import OpenAI from "openai";

const client = new OpenAI();
const stream = await client.chat.completions.create({
  model: "sonnet", messages: [{ role: "user", content: "Tell a story." }], stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
