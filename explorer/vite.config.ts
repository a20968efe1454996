import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin, runnerImport } from 'vite';

const SERVER = process.env.RATESGRAPH_URL ?? 'http://127.0.0.1:8000';
const MIN_COMPRESSED_BYTES = 1_000;

/** Each HTML file of this folder is a page: `index.html` at `/`, `graphiql.html` at `/graphql`, any other under its name. */
const pages = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.html'));

/** Writes `.br` and `.gz` next to each asset, so that the server never compresses one. */
function precompress(): Plugin {
  let folder = '';
  return {
    name: 'precompress',
    apply: 'build',
    configResolved: (config) => {
      folder = join(config.build.outDir, config.build.assetsDir);
    },
    closeBundle: () => {
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        const content = readFileSync(path);
        if (content.length < MIN_COMPRESSED_BYTES) continue;
        const params = { [constants.BROTLI_PARAM_QUALITY]: 10, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
        writeFileSync(`${path}.br`, brotliCompressSync(content, { params }));
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

/**
 * Writes `documents.json`: the GraphQL documents of the pages exactly as they are sent, by SHA-256. The server registers them, so
 * that the pages work where it answers registered documents only.
 */
function registerDocuments(): Plugin {
  return {
    name: 'register-documents',
    apply: 'build',
    async generateBundle() {
      const { module } = await runnerImport<Record<string, unknown>>(join(import.meta.dirname, 'src/gql/graphql.ts'));
      const texts = Object.values(module).filter((value) => value instanceof String).map(String);
      // Fragments are also part of the operations that use them.
      const operations = texts.filter((text) => !text.trimStart().startsWith('fragment'));
      const byHash = operations.map((text) => [createHash('sha256').update(text).digest('hex'), text]);
      this.emitFile({ type: 'asset', fileName: 'documents.json', source: JSON.stringify(Object.fromEntries(byHash)) });
    },
  };
}

export default defineConfig({
  plugins: [precompress(), registerDocuments()],
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    // The Content-Security-Policy allows neither inline scripts nor data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // GraphiQL with its editor is a single chunk of 4 MB, which is loaded on its page only.
    chunkSizeWarningLimit: 5_000,
    rolldownOptions: {
      input: pages,
      onwarn: (warning, warn) => {
        // The React compiler's marks in GraphiQL's modules mean nothing to the bundler.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
  // `npm run dev` sends the requests of the pages to a running server.
  server: { proxy: { '^/(graphql|series|batches)\\b': { target: SERVER, ws: true } } },
});
