/** Koor's mark, as icon.svg has it for the browser's tab. */
export function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#0f766e" />
      <path
        d="M16 16 8 9M16 16l8-7M16 16v9"
        fill="none"
        stroke="#fff"
        stroke-width="2.5"
        stroke-linecap="round"
      />
      <g fill="#fff">
        <circle cx="16" cy="16" r="4" />
        <circle cx="8" cy="9" r="3" />
        <circle cx="24" cy="9" r="3" />
        <circle cx="16" cy="25" r="3" />
      </g>
    </svg>
  );
}
