import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** budget is how large all scripts and styles may be, gzipped, in bytes. */
const budget = 400_000;

/**
 * size prints the gzipped size of the bundle, and fails the build when that is
 * over the budget.
 */
function size(): Plugin {
  return {
    name: "size",
    generateBundle(_options, bundle) {
      let sum = 0;
      for (const file of Object.values(bundle)) {
        if (/\.(js|css)$/.test(file.fileName)) {
          sum += gzipSync(file.type === "chunk" ? file.code : file.source, { level: 9 }).length;
        }
      }
      const text = `${(sum / 1000).toFixed(0)} kB gzipped in all, at most ${budget / 1000} kB`;
      if (sum > budget) {
        this.error(`the bundle is too large: ${text}`);
      }
      this.info(`the bundle is ${text}`);
    },
  };
}

/**
 * placeholder keeps the file that stands in for the bundle in a checkout. The
 * build empties the folder of it.
 */
function placeholder(): Plugin {
  const fileName = "placeholder.txt";
  let source: Buffer;
  return {
    name: "placeholder",
    buildStart() {
      source = readFileSync(`dist/${fileName}`);
    },
    generateBundle() {
      this.emitFile({ type: "asset", fileName, source });
    },
  };
}

export default defineConfig({
  // Relative addresses, so that chunks find each other at any address.
  base: "./",
  plugins: [size(), placeholder()],
  build: {
    target: "es2022",
    manifest: true,
    // app is loaded as a module after the page, theme as a plain script before
    // the first paint.
    rollupOptions: { input: ["app.ts", "theme.ts"] },
    modulePreload: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    reportCompressedSize: true,
  },
});
