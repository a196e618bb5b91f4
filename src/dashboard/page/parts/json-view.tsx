import { useState } from "preact/hooks";

/** JSON as a tree that folds, with every digit as it was stored. */

/** Members of one object or array that are drawn at first, and with each click more. */
const step = 200;
/** Depth to which a value is open at first. */
const openDepth = 2;
/** Members up to which a value below that is open at first. */
const openMembers = 3;

const { isRawJSON } = JSON as unknown as { isRawJSON?: (value: unknown) => boolean };

type Branch = Record<string, unknown> | readonly unknown[];

function isBranch(value: unknown): value is Branch {
  return typeof value === "object" && value !== null && !isRawJSON?.(value);
}

export function JsonView({ value }: { value: unknown }) {
  return (
    <div class="json">
      <Node value={value} depth={0} last />
    </div>
  );
}

interface NodeProps {
  name?: string;
  value: unknown;
  depth: number;
  last: boolean;
}

function Node({ name, value, depth, last }: NodeProps) {
  return isBranch(value) ? (
    <BranchNode {...(name !== undefined && { name })} value={value} depth={depth} last={last} />
  ) : (
    <div class="json-line">
      <Name name={name} />
      <Leaf value={value} />
      {!last && ","}
    </div>
  );
}

function BranchNode({ name, value, depth, last }: NodeProps & { value: Branch }) {
  const isArray = Array.isArray(value);
  const entries: [string | undefined, unknown][] = isArray
    ? value.map((item): [undefined, unknown] => [undefined, item])
    : Object.entries(value);
  const [open, setOpen] = useState(depth < openDepth || entries.length <= openMembers);
  const [shown, setShown] = useState(step);
  const [left, right] = isArray ? ["[", "]"] : ["{", "}"];
  const end = last ? "" : ",";
  if (entries.length === 0) {
    return (
      <div class="json-line">
        <Name name={name} />
        {left + right + end}
      </div>
    );
  }
  return (
    <div class="json-branch">
      <button type="button" class="json-toggle" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Name name={name} />
        {left}
        {!open && (
          <>
            <span class="json-count">
              {entries.length} {isArray ? "items" : "members"}
            </span>
            {right + end}
          </>
        )}
      </button>
      {open && (
        <>
          <div class="json-members">
            {entries.slice(0, shown).map(([key, member], index) => (
              <Node
                key={key ?? index}
                {...(key !== undefined && { name: key })}
                value={member}
                depth={depth + 1}
                last={index === entries.length - 1}
              />
            ))}
            {entries.length > shown && (
              <button type="button" class="quiet" onClick={() => setShown(shown + step)}>
                {entries.length - shown} more
              </button>
            )}
          </div>
          <div class="json-line">{right + end}</div>
        </>
      )}
    </div>
  );
}

function Name({ name }: { name: string | undefined }) {
  if (name === undefined) return null;
  return (
    <>
      <span class="json-name">{JSON.stringify(name)}</span>
      {": "}
    </>
  );
}

function Leaf({ value }: { value: unknown }) {
  const kind = value === null ? "null" : typeof value === "object" ? "number" : typeof value;
  return <span class={`json-${kind}`}>{JSON.stringify(value)}</span>;
}
