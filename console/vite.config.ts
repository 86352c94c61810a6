import { defineConfig } from "vitest/config";

// The gateway that `npm run dev` shows; the built files are served by the gateway itself.
const gateway = process.env.GATEWAY ?? "http://127.0.0.1:9876";
// Paths of the API. `/` and the console's own files come from Vite.
const api =
  "^/(chat|claude|doctor|events|folders|health|jobs|log|openapi.json|questions|runs|sessions|settings|stats|usage|v1|whoami)([/?].*)?$";

export default defineConfig({
  // Relative addresses: a proxy may serve the gateway below a path.
  base: "./",
  build: {
    assetsDir: "console/assets",
    target: "es2022",
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: { host: "127.0.0.1", proxy: { [api]: { target: gateway, changeOrigin: true } } },
  test: { include: ["tests/**/*.test.ts?(x)"] },
});
