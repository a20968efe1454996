import { type ComponentChildren, render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { getToken, onTokenChange } from './api';
import { server } from './server';
import { texts } from './texts';
import { openTokenDialog, TokenDialog } from './TokenDialog';

export interface FrameProps {
  /** Whether demo prices are among the data: shows the banner. By default it is what the server said with the page. */
  isDemo?: boolean | undefined;
  /** What the page says at its foot, such as the period of the data. */
  footer?: ComponentChildren;
  children: ComponentChildren;
}

/** What every page has: navigation, the banner of demo data, the token dialog, a footer. */
export function Frame({ isDemo = server.hasDemoData, footer, children }: FrameProps) {
  return (
    <>
      <a class="skip" href="#content">{texts.skip}</a>
      <Header />
      <main id="content" tabIndex={-1}>
        {isDemo && <p class="banner">{texts.demo}</p>}
        {children}
      </main>
      <footer>{footer}</footer>
      <TokenDialog />
    </>
  );
}

function Header() {
  const here = location.pathname;
  return (
    <header>
      <a class="brand" href="/">{texts.product}</a>
      <nav aria-label={texts.navigation}>
        {Object.entries(texts.pages)
          .filter(([path]) => server.pages.includes(path))
          .map(([path, name]) => (
            <a key={path} href={path} aria-current={path === here ? 'page' : undefined}>{name}</a>
          ))}
      </nav>
      {(server.reads === 'token' || server.writes === 'token') && <TokenButton />}
    </header>
  );
}

function TokenButton() {
  const [token, update] = useState(getToken());
  useEffect(() => onTokenChange(() => update(getToken())), []);
  return (
    <button type="button" class="quiet" onClick={() => openTokenDialog()}>
      {token ? texts.token.stored : texts.token.open}
    </button>
  );
}

/** Shows the page in the element that its HTML file has for it. */
export function mount(page: ComponentChildren): void {
  const element = document.getElementById('page');
  if (element) render(page, element);
}
