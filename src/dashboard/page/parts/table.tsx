import type { ComponentChildren } from "preact";

/** The one table of the page. In a narrow place each row becomes a few lines. */

export interface Column<T> {
  title: string;
  /** How it is shown, beside its name: `name` (bold, the row's heading), `mono`, `soft`, `number`, `wide`, `end`, `told` (named by its title in a narrow place). */
  kind?: string;
  cell: (row: T) => ComponentChildren;
}

interface TableProps<T> {
  /** What the table is, for those who do not see it. */
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
  /** Attributes of a row's own: what tests and styles find it by. */
  marks?: (row: T) => Record<string, unknown>;
}

export function Table<T>({ label, columns, rows, keyOf, marks }: TableProps<T>) {
  // Roles are said outright: a row that is laid out as lines is none to a browser otherwise.
  return (
    <div class="table-scroll" role="group" aria-label={label} tabIndex={0}>
      <table class="rows" role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ title, kind }) => (
              <th key={title} role="columnheader" scope="col" class={kind}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={keyOf(row)} role="row" {...marks?.(row)}>
              {columns.map(({ title, kind = "", cell }) =>
                kind.includes("name") ? (
                  <th key={title} role="rowheader" scope="row" class={kind}>
                    {cell(row)}
                  </th>
                ) : (
                  <td key={title} role="cell" class={kind} data-title={title}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
