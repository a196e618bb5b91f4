import { type Token, type Tokens, lexer } from "marked";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";

/**
 * Markdown as elements. The library only finds out what is what; no HTML is ever made of a text, so that what somebody
 * wrote can be nothing but text. Tags in it are shown as they were written, pictures by their words: nothing is fetched.
 */
export function Markdown({ text, otherwise }: { text: string; otherwise: ComponentChildren }) {
  const tokens = useMemo(() => read(text), [text]);
  return tokens ? <div class="markdown">{blocks(tokens)}</div> : <>{otherwise}</>;
}

/** Characters of a text that is read as Markdown. */
const maxChars = 100_000;
/** Levels of quotes, lists and the like that are drawn: each costs several calls of the browser's stack. */
const maxLevels = 50;

/** @returns undefined for what is too much for a page: five thousand quotes in each other, say */
function read(text: string): readonly Token[] | undefined {
  if (text.length > maxChars) return undefined;
  try {
    const tokens = lexer(text);
    return isFlat(tokens, maxLevels) ? tokens : undefined;
  } catch {
    return undefined;
  }
}

function isFlat(tokens: readonly Token[], levels: number): boolean {
  return levels > 0 && tokens.every((token) => isFlat(childrenOf(token), levels - 1));
}

function childrenOf(token: Token): readonly Token[] {
  const { tokens = [] } = token as Partial<Tokens.Paragraph>;
  const { items = [] } = token as Partial<Tokens.List>;
  const { header = [], rows = [] } = token as Partial<Tokens.Table>;
  return [...tokens, ...items, ...[...header, ...rows.flat()].flatMap((cell) => cell.tokens)];
}

/** Only to what a person can look at; `javascript:` and the like stay text. */
const followed = /^(https?:|mailto:)/i;

function blocks(tokens: readonly Token[]): ComponentChildren {
  return tokens.map((token, index) => <Block key={index} token={token} />);
}

function Block({ token }: { token: Token }) {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "hr":
      return <hr />;
    case "heading": {
      const { depth, tokens } = token as Tokens.Heading;
      // Below the page's own two.
      const Tag = `h${Math.min(6, depth + 2)}` as "h3";
      return <Tag data-depth={depth}>{inline(tokens)}</Tag>;
    }
    case "paragraph":
      return <p>{inline((token as Tokens.Paragraph).tokens)}</p>;
    case "code":
      return (
        <pre tabIndex={0} role="group" aria-label="Code">
          {(token as Tokens.Code).text}
        </pre>
      );
    case "blockquote":
      return <blockquote>{blocks((token as Tokens.Blockquote).tokens)}</blockquote>;
    case "list":
      return <List token={token as Tokens.List} />;
    case "table":
      return <TableBlock token={token as Tokens.Table} />;
    case "text": {
      const { tokens, text } = token as Tokens.Text;
      return <>{tokens ? inline(tokens) : text}</>;
    }
    default:
      return <p>{token.raw}</p>;
  }
}

function List({ token: { ordered, start, items } }: { token: Tokens.List }) {
  const content = items.map(({ task, checked, tokens }, index) => (
    <li key={index}>
      {task && (checked ? "☑ " : "☐ ")}
      {blocks(tokens)}
    </li>
  ));
  return ordered ? <ol start={Number(start) || 1}>{content}</ol> : <ul>{content}</ul>;
}

function TableBlock({ token: { header, rows } }: { token: Tokens.Table }) {
  return (
    <table>
      <thead>
        <tr>
          {header.map(({ tokens }, index) => (
            <th key={index} scope="col">
              {inline(tokens)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, index) => (
          <tr key={index}>
            {row.map(({ tokens }, at) => (
              <td key={at}>{inline(tokens)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function inline(tokens: readonly Token[]): ComponentChildren {
  return tokens.map((token, index) => <Inline key={index} token={token} />);
}

function Inline({ token }: { token: Token }) {
  switch (token.type) {
    case "strong":
      return <strong>{inline((token as Tokens.Strong).tokens)}</strong>;
    case "em":
      return <em>{inline((token as Tokens.Em).tokens)}</em>;
    case "del":
      return <del>{inline((token as Tokens.Del).tokens)}</del>;
    case "codespan":
      return <code>{(token as Tokens.Codespan).text}</code>;
    case "br":
      return <br />;
    case "link": {
      const { href, tokens } = token as Tokens.Link;
      if (!followed.test(href)) return <>{inline(tokens)}</>;
      return (
        <a href={href} target="_blank" rel="noopener noreferrer">
          {inline(tokens)}
        </a>
      );
    }
    case "image": {
      const { text, href } = token as Tokens.Image;
      return <span class="soft">[picture: {text || href}]</span>;
    }
    case "text": {
      const { tokens, text } = token as Tokens.Text;
      return <>{tokens ? inline(tokens) : text}</>;
    }
    case "escape":
      return <>{(token as Tokens.Escape).text}</>;
    default:
      return <>{token.raw}</>;
  }
}
