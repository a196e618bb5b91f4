import { useEffect, useState } from "preact/hooks";
import { confirm } from "../parts/dialog.tsx";
import { Age, Fault, Loading } from "../parts/panel.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { useAnswer } from "../live/use-answer.ts";
import { place, setQuery } from "../router.ts";
import { type Version, faultText } from "../server.ts";
import { Who } from "../parts/who.tsx";
import { VersionPick } from "../parts/version-pick.tsx";
import { linesOf } from "./content.ts";
import { DiffView } from "./diff-view.tsx";
import { type Source, shownVersions } from "./source.ts";
import { readVersion } from "./use-document.ts";
import { CopyableValue } from "./value-view.tsx";

interface HistoryProps {
  source: Source;
  /** Newest first. */
  versions: readonly Version[];
  /** undefined: it was deleted. */
  current: number | undefined;
}

/** All versions: one by itself, as the address has it, or any two of them side by side; and the way back. */
export function History({ source, versions, current }: HistoryProps) {
  const kept = versions.filter(({ deleted }) => !deleted).map(({ version }) => version);
  const [chosen, setChosen] = useState<{ from: number; to: number } | undefined>(undefined);
  const newest = kept[0];
  const from = chosen?.from ?? kept[1];
  const to = chosen?.to ?? newest;
  const compare = (version: number) => {
    const before = kept[kept.indexOf(version) + 1];
    if (before === undefined) return;
    setChosen({ from: before, to: version });
    setQuery({ version: "" });
  };
  const alone = Number(place.value.query.get("version") ?? 0);
  const one = versions.find(({ version, deleted }) => version === alone && !deleted);
  const rollBack = (to: Version) => askToRollBack(source, to, current, () => setChosen(undefined));
  return (
    <div class="history">
      {versions.length >= shownVersions && (
        <p class="more">The newest {shownVersions} versions are listed.</p>
      )}
      {one && <Alone key={one.version} source={source} one={one} />}
      {!one && from !== undefined && to !== undefined && (
        <div class="compare">
          <p class="compare-tools">
            <VersionPick
              label="Compare version"
              kept={kept}
              value={from}
              onPick={(from) => setChosen({ from, to })}
            />
            <VersionPick
              label="with version"
              kept={kept}
              value={to}
              onPick={(to) => setChosen({ from, to })}
            />
          </p>
          <Compare key={source.id} source={source} from={from} to={to} />
        </div>
      )}
      <Table
        label="Versions"
        columns={columnsOf({ kept, current, compare, rollBack })}
        rows={versions}
        keyOf={({ version }) => String(version)}
        marks={({ version }) => ({
          "data-version": String(version),
          "aria-current": version === alone ? "true" : undefined,
        })}
      />
    </div>
  );
}

interface Ways {
  /** Versions that have a value. */
  kept: readonly number[];
  current: number | undefined;
  compare: (version: number) => void;
  rollBack: (to: Version) => void;
}

function columnsOf({ kept, current, compare, rollBack }: Ways): Column<Version>[] {
  return [
    {
      title: "Version",
      kind: "name tight",
      cell: ({ version, deleted }) =>
        deleted ? (
          version
        ) : (
          <a
            href={`${location.pathname}?tab=history&version=${version}`}
            aria-label={`Value of version ${version}`}
          >
            {version}
          </a>
        ),
    },
    {
      title: "Written by",
      kind: "wide",
      cell: ({ updated_by, deleted }) => (
        <>
          <Who name={updated_by} link />{" "}
          {deleted && (
            <span class="tag" data-tint="bad">
              deleted
            </span>
          )}
        </>
      ),
    },
    { title: "When", kind: "soft tight", cell: ({ updated_at }) => <Age at={updated_at} /> },
    {
      title: "What to do",
      kind: "end tight",
      cell: (row) =>
        !row.deleted && (
          <span class="buttons end">
            {kept.indexOf(row.version) < kept.length - 1 && (
              <button
                type="button"
                class="quiet"
                aria-label={`Changes in version ${row.version}`}
                onClick={() => compare(row.version)}
              >
                Changes
              </button>
            )}
            {row.version !== current && (
              <button
                type="button"
                class="quiet"
                aria-label={`Roll back to version ${row.version}`}
                onClick={() => rollBack(row)}
              >
                Roll back
              </button>
            )}
          </span>
        ),
    },
  ];
}

/** A version by itself. */
function Alone({ source, one }: { source: Source; one: Version }) {
  const { version } = one;
  const { answer: content, fault } = useAnswer(
    (signal) => readVersion(source, version, signal),
    () => false,
    [source.id, version],
  );
  return (
    <section class="alone" aria-label={`Version ${version}`}>
      <header>
        <h3>Version {version}</h3>
        <p class="soft">
          written by <Who name={one.updated_by} link /> <Age at={one.updated_at} />
        </p>
        <a href={`${location.pathname}?tab=history`}>Compare versions</a>
      </header>
      <Fault text={fault} />
      {content && <CopyableValue content={content} url={source.url(version)} name={source.name} />}
      {!content && fault === "" && <Loading />}
    </section>
  );
}

interface Compared {
  from: number;
  to: number;
  left: string;
  right: string;
}

function Compare({ source, from, to }: { source: Source; from: number; to: number }) {
  const [shown, setShown] = useState<Compared | undefined>(undefined);
  const [fault, setFault] = useState("");
  useEffect(() => {
    const aborter = new AbortController();
    const { signal } = aborter;
    setFault("");
    const read = async () => {
      const versions = [readVersion(source, from, signal), readVersion(source, to, signal)] as const;
      const [left, right] = await Promise.all(versions);
      if (left.kind === "binary" || right.kind === "binary") setFault("They are not texts.");
      else setShown({ from, to, left: linesOf(left), right: linesOf(right) });
    };
    read().catch((error: unknown) => !signal.aborted && setFault(faultText(error)));
    return () => aborter.abort();
  }, [source.id, from, to]);
  if (fault !== "") return <Fault text={fault} />;
  // Never one version under another's name.
  if (shown?.from !== from || shown.to !== to) return <Loading />;
  const { left, right } = shown;
  return <DiffView left={left} right={right} leftTitle={`Version ${from}`} rightTitle={`Version ${to}`} />;
}

/** @param done what is compared then is the way back itself */
function askToRollBack(
  source: Source,
  { version, updated_by: by, updated_at: at }: Version,
  current: number | undefined,
  done: () => void,
): void {
  confirm({
    title: `Roll ${source.name} back to version ${version}`,
    text: (
      <>
        The value of version {version}, which <Who name={by} /> wrote (<Age at={at} />
        ), becomes the newest version. Nothing is lost: what is there now stays in the history.
      </>
    ),
    verb: `Roll back to ${version}`,
    act: async () => {
      await source.rollBack(version, current);
      done();
      setQuery({ version: "" });
    },
  });
}
