import { basename } from "node:path";
import page from "./page/page.html";

/** One file of the page, as it goes out. */
export interface PageFile {
  type: string;
  body: string | Uint8Array<ArrayBuffer>;
}

/** The page itself, and what it loads, by file name. */
export interface PageFiles {
  html: string;
  files: ReadonlyMap<string, PageFile>;
}

/**
 * The page's files. In the executable they were made when it was built, and lie embedded in it; started from the
 * sources they are made here, at the first request (5 to 15 ms). Bun would serve an HTML import by itself, but without
 * the headers that a page needs.
 *
 * @throws Error when the sources do not build
 */
export async function loadPage(): Promise<PageFiles> {
  const { index } = page;
  const built = page.files
    ? page.files.map(({ path, headers }) => ({ path, blob: Bun.file(path), type: headers["content-type"] }))
    : await buildPage(index);
  const files = new Map<string, PageFile>();
  let html = "";
  for (const { path, blob, type } of built) {
    // The same page stands at many paths: what it loads is named from the root.
    if (path.endsWith(".html"))
      html = (await blob.text()).replaceAll(/(?<=(?:src|href)=")\.?\/?(?=[\w-]+\.)/g, "/");
    else files.set(basename(path), { type, body: new Uint8Array(await blob.arrayBuffer()) });
  }
  return { html, files };
}

/** As the build does it, so that a page which works here works there. */
async function buildPage(index: string): Promise<{ path: string; blob: Blob; type: string }[]> {
  const { outputs } = await Bun.build({
    entrypoints: [index],
    target: "browser",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
    naming: { chunk: "[name]-[hash].[ext]", asset: "[name]-[hash].[ext]" },
  });
  return outputs.map((output) => ({ path: output.path, blob: output, type: output.type }));
}
