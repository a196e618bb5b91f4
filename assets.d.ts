// Files that Bun imports as something else than code. (bun-types knows *.html, *.txt and some more.)

/** `import text from "./0001-initial.sql" with { type: "text" }` */
declare module "*.sql" {
  const text: string;
  export default text;
}
