import { editor } from 'monaco-graphql/esm/monaco-editor.js';

export const EDITOR_THEME = { light: 'ratesgraph-light', dark: 'ratesgraph-dark' };

/** Colours of GraphiQL's own theme for what floats over the editor. */
const PRIMARY = { light: '#d60590', dark: '#ff5794' };
const PAPER = { light: '#ffffff', dark: '#212a3b' };

/** Defines themes like those of GraphiQL, with numbers and comments in stronger colours (WCAG 1.4.3). */
export function defineEditorThemes(): void {
  for (const scheme of ['light', 'dark'] as const) {
    const isDark = scheme === 'dark';
    editor.defineTheme(EDITOR_THEME[scheme], {
      base: isDark ? 'vs-dark' : 'vs',
      inherit: true,
      rules: [
        { token: 'argument.identifier.gql', foreground: isDark ? '#a7a3ff' : '#514db5' },
        { token: 'comment', foreground: isDark ? '#8fbf78' : '#006b00' },
        { token: 'number', foreground: isDark ? '#b5cea8' : '#0a5c3d' },
      ],
      colors: {
        'editor.background': '#ffffff00',
        'scrollbar.shadow': '#ffffff00',
        'editorLineNumber.foreground': isDark ? '#a3b0bd' : '#53616f',
        'editorLineNumber.dimmedForeground': isDark ? '#a3b0bd' : '#53616f',
        'textLink.foreground': PRIMARY[scheme],
        'list.highlightForeground': PRIMARY[scheme],
        focusBorder: PRIMARY[scheme],
        'editorHoverWidget.background': PAPER[scheme],
        'editorSuggestWidget.background': PAPER[scheme],
        'editorWidget.background': PAPER[scheme],
        'quickInput.background': PAPER[scheme],
        'menu.background': PAPER[scheme],
      },
    });
  }
}
