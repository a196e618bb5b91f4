interface SearchFieldProps {
  /** What is searched: `keys`. */
  of: string;
  value: string;
  onInput: (value: string) => void;
}

/** The field of a view that `/` leads to. */
export function SearchField({ of, value, onInput }: SearchFieldProps) {
  return (
    <input
      class="search"
      type="search"
      data-search
      aria-label={`Search ${of}`}
      placeholder={`Search ${of}  /`}
      value={value}
      onInput={(event) => onInput(event.currentTarget.value)}
    />
  );
}
