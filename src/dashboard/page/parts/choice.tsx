interface ChoiceProps<T extends string> {
  /** In the address. */
  name: string;
  label: string;
  titles: Readonly<Record<T, string>>;
  value: T;
  onChoose: (changes: Record<string, string>) => void;
}

/** One of a few, all of which are seen. */
export function Choice<T extends string>({ name, label, titles, value, onChoose }: ChoiceProps<T>) {
  return (
    <span class="choice" role="group" aria-label={label}>
      {(Object.keys(titles) as T[]).map((one) => (
        <button
          key={one}
          type="button"
          class="quiet"
          aria-pressed={one === value}
          onClick={() => onChoose({ [name]: one })}
        >
          {titles[one]}
        </button>
      ))}
    </span>
  );
}
