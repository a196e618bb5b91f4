import { useEffect, useId, useRef, useState } from "preact/hooks";
import { setQuery } from "../router.ts";

/** How long nobody types before a filter is applied, in milliseconds. */
const applyAfter = 250;
/** Names that are suggested. */
const maxSuggestions = 50;

interface FilterFieldProps {
  /** In the address. */
  name: string;
  label: string;
  placeholder: string;
  value: string;
  /** How it is understood. */
  title: string;
  /** Whether `/` leads to it. */
  search?: boolean;
  suggestions?: Iterable<string>;
}

/** A filter that the address holds, and that is applied as one types. */
export function FilterField(props: FilterFieldProps) {
  const { name, label, placeholder, value, title, search = false, suggestions = [] } = props;
  const [text, setText] = useState(value);
  /** As the address has it, or is about to: what comes from there is not what is being typed. */
  const applied = useRef(value);
  const list = useId();
  const apply = (words: string) => {
    if (words === applied.current) return;
    applied.current = words;
    setQuery({ [name]: words }, "replace");
  };
  useEffect(() => {
    if (value === applied.current) return;
    applied.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    const timer = setTimeout(() => apply(text.trim()), applyAfter);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <form
      class="filter-field"
      role={search ? "search" : undefined}
      onSubmit={(event) => {
        event.preventDefault();
        apply(text.trim());
      }}
    >
      <input
        type="search"
        {...(search && { "data-search": "" })}
        autocomplete="off"
        list={list}
        aria-label={label}
        placeholder={search ? `${placeholder}  /` : placeholder}
        title={title}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <datalist id={list}>
        {[...new Set(suggestions)].slice(0, maxSuggestions).map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </form>
  );
}
