import { html, raw } from 'hono/html';
import { ERRORS } from './error-table.ts';
import { LIMITS } from './limits.ts';
import type { Operation } from './operations/operation.ts';
import { referenceOf, remarksOf, type ReferenceChapter, type ReferenceEntry, type ReferenceField } from './reference.ts';

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d5d9de, #3a4048); --soft: light-dark(#f4f6f8, #1b1f24); --link: light-dark(#0b57d0, #8ab4f8); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; }
a { color: var(--link); }
code { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; }
article { border-top: 1px solid var(--line); padding-block: .5rem 1rem; }
h3 { margin: .5rem 0; }
.route { background: var(--soft); border-radius: .4rem; padding: .3rem .6rem; }
.remarks, dd { margin-inline-start: 1rem; }
nav ul { columns: 16rem; padding-inline-start: 1.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .5rem; text-align: start; vertical-align: top; }
.wide { overflow-x: auto; }
`;

const fields = (title: string, list: readonly ReferenceField[]) =>
  list.length === 0
    ? ''
    : html`<details>
        <summary>${title}</summary>
        <div class="wide">
          <table>
            <thead>
              <tr>
                <th scope="col">field</th>
                <th scope="col">type</th>
                <th scope="col">about</th>
              </tr>
            </thead>
            <tbody>
              ${list.map(
                ({ name, type, required, description }) =>
                  html`<tr>
                    <td><code>${name}</code></td>
                    <td>${type}${required ? ', required' : ''}</td>
                    <td>${description}</td>
                  </tr>`,
              )}
            </tbody>
          </table>
        </div>
      </details>`;

const article = (entry: ReferenceEntry, prefix: string) =>
  html`<article id="${entry.row.name}">
    <h3><a href="#${entry.row.name}">${entry.row.name}</a></h3>
    <p><code class="route">${entry.method} ${prefix}${entry.path}</code></p>
    <p>${entry.row.description}</p>
    <p>${remarksOf(entry).join(' · ')}</p>
    ${fields('Takes', entry.takes)} ${fields('Answers', entry.answers)}
  </article>`;

const chapter = ({ title, about, entries }: ReferenceChapter, prefix: string) =>
  html`<section>
    <h2>${title}</h2>
    <p>${about}</p>
    ${entries.map((entry) => article(entry, prefix))}
  </section>`;

const errorRows = Object.entries(ERRORS).map(
  ([code, { status, exit, retryable, title, hint }]) =>
    html`<tr id="error-${code}">
      <td><code>${code}</code></td>
      <td>${status}</td>
      <td>${exit}</td>
      <td>${retryable ? 'yes' : 'no'}</td>
      <td>${title}. ${hint}</td>
    </tr>`,
);

const limitRows = Object.entries(LIMITS).map(
  ([name, { value, unit, why }]) =>
    html`<tr>
      <td><code>${name}</code></td>
      <td>${value} ${unit}</td>
      <td>${why}</td>
    </tr>`,
);

const table = (title: string, heads: readonly string[], rows: readonly unknown[]) =>
  html`<section>
    <h2>${title}</h2>
    <div class="wide">
      <table>
        <thead>
          <tr>
            ${heads.map((head) => html`<th scope="col">${head}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </section>`;

/** The page's own style is the one thing that a browser may use, and it is named by its digest. */
const policyFor = async (style: string): Promise<string> => {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style)));
  return `default-src 'none'; style-src 'sha256-${btoa(String.fromCharCode(...digest))}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox`;
};

export interface ReferencePage {
  readonly html: string;
  /** With which it must be served: the content security policy allows its own style and nothing else. */
  readonly headers: Readonly<Record<string, string>>;
}

/** An API to read in a browser: one document without any script, made from the rows that the API serves. */
export const referencePage = async (
  rows: readonly Operation[],
  about: { readonly title: string; readonly version: string; readonly prefix: string },
): Promise<ReferencePage> => {
  const chapters = referenceOf(rows);
  const body = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${about.title} ${about.version}</title>
        ${raw(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <header>
          <h1>${about.title} ${about.version}</h1>
          <p>
            Send <code>Authorization: Bearer</code> with a token, and JSON. Errors are problem documents (RFC 9457) whose
            <code>code</code> is listed below. The same as a machine reads it: <a href="${about.prefix}/openapi.json">openapi.json</a>.
          </p>
        </header>
        <nav aria-label="Operations">
          <ul>
            ${chapters.flatMap(({ entries }) => entries.map(({ row }) => html`<li><a href="#${row.name}">${row.name}</a></li>`))}
          </ul>
        </nav>
        <main>
          ${chapters.map((one) => chapter(one, about.prefix))}
          ${table('Errors', ['code', 'status', 'CLI exit', 'retry may help', 'meaning'], errorRows)}
          ${table('Limits', ['name', 'value', 'why'], limitRows)}
        </main>
      </body>
    </html>`;
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': await policyFor(STYLE) };
  return { html: String(await body), headers };
};
