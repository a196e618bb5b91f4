interface VersionPickProps {
  label: string;
  kept: readonly number[];
  value: number;
  onPick: (version: number) => void;
}

/** One of the versions that are kept. */
export function VersionPick({ label, kept, value, onPick }: VersionPickProps) {
  return (
    <label>
      {label}{" "}
      <select value={String(value)} onChange={(event) => onPick(Number(event.currentTarget.value))}>
        {kept.map((version) => (
          <option key={version} value={String(version)}>
            {version}
          </option>
        ))}
      </select>
    </label>
  );
}
