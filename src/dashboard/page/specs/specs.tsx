import { useState } from "preact/hooks";
import { now } from "../live/clock.ts";
import { type Project, maxRead, specs } from "../live/specs.ts";
import { Empty, Fault, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { count, showAge, showNumber } from "../parts/show.ts";
import { VirtualList } from "../parts/virtual-list.tsx";
import { go, place } from "../router.ts";
import { hrefOf } from "../href.ts";
import { DocumentView } from "../values/document-view.tsx";
import { specSource } from "../values/source.ts";
import { Breaking } from "./breaking.tsx";
import { Endpoints } from "./endpoints.tsx";

/** Height of a line, in CSS pixels. */
const rowHeight = 30;

type SpecRow =
  | { kind: "project"; project: string; size: number }
  | { kind: "spec"; project: string; name: string; version: number; at: string };
type SpecOfRow = Extract<SpecRow, { kind: "spec" }>;

/** Documents that agents agree on, contracts among them. */
export function Specs() {
  const projects = specs.use();
  const [words, setWords] = useState("");
  const { rest } = place.value;
  const [project, ...names] = rest;
  const name = names.join("/");
  const total = projects?.reduce((sum, { size }) => sum + size, 0) ?? 0;
  const chosen = project !== undefined && name !== "";
  const rows = rowsOf(projects ?? [], words);
  const specRows = rows.filter((row) => row.kind === "spec");
  const found = words === "" ? "" : `${showNumber(specRows.length)} of `;
  return (
    <ViewFrame
      title="Specs"
      summary={
        projects && total > 0
          ? `${found}${count(total, "spec")} in ${count(projects.length, "project")}`
          : undefined
      }
      tools={
        <SearchField
          of="specs"
          value={words}
          onInput={setWords}
          onEnter={() => words !== "" && specRows[0] && openSpec(specRows[0])}
        />
      }
    >
      <Fault text={specs.fault.value} />
      {!projects && specs.fault.value === "" && <Loading />}
      {projects && total === 0 && !chosen && (
        <div class="panel">
          <Empty command={cli("specs set shop/orders --file openapi.json")}>
            No document is agreed on yet. Store an OpenAPI document, a JSON Schema or a contract in Koor’s own
            words:
          </Empty>
        </div>
      )}
      {projects && (total > 0 || chosen) && (
        <div class="split">
          <section class="panel master" aria-label="Specs">
            <VirtualList
              label="Specs by project"
              items={rows}
              rowHeight={rowHeight}
              keyOf={keyOf}
              active={chosen ? `spec ${project} ${name}` : undefined}
              marks={(row) => (row.kind === "spec" ? { "data-spec": `${row.project}/${row.name}` } : {})}
              onChoose={(row) => row.kind === "spec" && openSpec(row)}
              row={(row) => <Line row={row} />}
            />
            {projects.length > maxRead && (
              <p class="more">
                The specs of the first {maxRead} projects are listed; those of another:{" "}
                <code>{cli("specs list PROJECT")}</code>
              </p>
            )}
          </section>
          {chosen && (
            <DocumentView
              key={`${project}/${name}`}
              source={specSource(project, name)}
              back="/specs"
              tabs={[
                {
                  id: "endpoints",
                  title: "Contract",
                  content: () => <Endpoints project={project} name={name} />,
                },
                {
                  id: "breaking",
                  title: "What breaks",
                  content: () => <Breaking project={project} name={name} />,
                },
              ]}
            />
          )}
        </div>
      )}
    </ViewFrame>
  );
}

function openSpec({ project, name }: SpecOfRow): void {
  const href = hrefOf("/specs/{project}/{name}", { project, name });
  if (href !== undefined) go(href);
}

function rowsOf(projects: readonly Project[], words: string): SpecRow[] {
  const wanted = words.toLowerCase();
  return projects.flatMap(({ project, size, specs }): SpecRow[] => {
    const isWanted = (name: string) => `${project}/${name}`.toLowerCase().includes(wanted);
    const found = specs?.filter(({ name }) => isWanted(name)) ?? [];
    if (specs ? found.length === 0 : !isWanted("")) return [];
    return [
      { kind: "project", project, size },
      ...found.map(({ name, version, updated_at }): SpecRow => {
        return { kind: "spec", project, name, version, at: updated_at };
      }),
    ];
  });
}

const keyOf = (row: SpecRow) =>
  row.kind === "project" ? `project ${row.project}` : `spec ${row.project} ${row.name}`;

function Line({ row }: { row: SpecRow }) {
  if (row.kind === "project") {
    return (
      <div class="tree-line project-line">
        <strong class="tree-name">{row.project}</strong>
        <small class="number">{row.size}</small>
      </div>
    );
  }
  return (
    <div class="tree-line spec-line">
      <span class="tree-name" title={row.name}>
        {row.name}
      </span>
      <small class="number">v{row.version}</small>
      <small class="number age" title={new Date(row.at).toLocaleString()}>
        {showAge(now.value - Date.parse(row.at))}
      </small>
    </div>
  );
}
