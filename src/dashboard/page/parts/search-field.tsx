interface SearchFieldProps {
  /** What is searched: `keys`. */
  of: string;
  value: string;
  onInput: (value: string) => void;
  /** Opens the first of what is found. */
  onEnter?: () => void;
}

/** The field of a view that `/` leads to. */
export function SearchField({ of, value, onInput, onEnter }: SearchFieldProps) {
  return (
    <input
      class="search"
      type="search"
      data-search
      aria-label={`Search ${of}`}
      placeholder={`Search ${of}  /`}
      value={value}
      onInput={(event) => onInput(event.currentTarget.value)}
      onKeyDown={({ key, isComposing }) => key === "Enter" && !isComposing && onEnter?.()}
    />
  );
}
