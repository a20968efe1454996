/** @jsxImportSource react */
// The parts instead of graphiql/style.css, which embeds 35 fonts as data: URLs.
import '@graphiql/react/style.css';
import '@graphiql/plugin-history/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-explorer/style.css';
import 'graphiql/graphiql.css';
import './graphiql.css';
import './workers';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { StorageAPI } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { server } from '../frame/server';
import { texts } from '../frame/texts';
import { createExamples, type Example } from './examples';
import { createFetcher } from './fetcher';
import { storage } from './storage';
import { defineEditorThemes, EDITOR_THEME } from './theme';

const PLUGINS = [HISTORY_PLUGIN, explorerPlugin({ showAttribution: false })];

/** The operation of a link such as `/graphql?query=…&variables=…`. The address is then cleared, so that a reload keeps edits. */
function takeLinked(): Example | null {
  const parameters = new URLSearchParams(location.search);
  history.replaceState(null, '', location.pathname);
  const query = parameters.get('query');
  return query ? { query, variables: parameters.get('variables') ?? '' } : null;
}

/**
 * Makes the operation the one that GraphiQL edited last, so that it opens a tab for it unless it has one. Its `initialQuery`
 * would open one more at each reload.
 */
function storeAsLast(operation: Example): void {
  const api = new StorageAPI(storage);
  api.set('query', operation.query);
  api.set('variables', operation.variables ?? '');
}

async function start(): Promise<void> {
  const linked = takeLinked();
  const examples = await createExamples();
  if (linked) storeAsLast(linked);
  defineEditorThemes();
  const element = document.getElementById('page');
  if (!element) return;
  createRoot(element).render(
    <GraphiQL
      fetcher={createFetcher()}
      plugins={PLUGINS}
      defaultTabs={linked ? [linked, ...examples] : examples}
      editorTheme={EDITOR_THEME}
      storage={storage}
      shouldPersistHeaders={false}
      showPersistHeadersSettings={false}
    >
      <GraphiQL.Logo>
        <a className="home" href="/">Ratesgraph</a>
        {server.hasDemoData && <small className="demo" title={texts.demo}>demo data</small>}
      </GraphiQL.Logo>
    </GraphiQL>,
  );
}

void start();
