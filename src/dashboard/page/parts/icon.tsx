/** Small drawings on a grid of 16: strokes in the colour of the text. */
const paths = {
  now: "M8 2v2M8 12v2M2 8h2M12 8h2M8 5.5A2.5 2.5 0 1 1 8 10.5 2.5 2.5 0 0 1 8 5.5Z",
  state:
    "M2.5 4c0-1.1 2.5-2 5.5-2s5.5.9 5.5 2-2.5 2-5.5 2-5.5-.9-5.5-2Zm0 0v8c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2V4m-11 4c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2",
  specs: "M9.5 1.5h-6v13h9v-10l-3-3Zm0 0v3h3M6 8.5h4M6 11.5h4",
  rules: "M8 1.5 2.5 3.5v4c0 3.4 2.3 6 5.5 7 3.2-1 5.5-3.6 5.5-7v-4L8 1.5ZM5.5 8l2 2 3.5-4",
  events: "M2 8h2.5l2-5 3 10 2-5H14",
  leases: "M4 7V5a4 4 0 0 1 8 0v2M3 7h10v7H3V7Zm5 3v1.5",
  tokens: "M2 14V2M2 14h12M5 11V8M8 11V5M11 11V7",
  audit: "M3 3h10M3 6.5h10M3 10h6M3 13.5h4m3.5-.5 1.5 1.5 3-3",
  connect: "M6 4V1.5M10 4V1.5M4 4h8v3.5a4 4 0 0 1-8 0V4Zm4 7.5v3",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8v-8Z",
  check: "M3 8.5 6.5 12 13 4.5",
  search: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9Zm3.5 8L14 14",
  closed: "m6 4 4 4-4 4",
  open: "m4 6 4 4 4-4",
  save: "M8 2v8m-3-3 3 3 3-3M3 13.5h10",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.5v9l7-4.5-7-4.5Z",
  plus: "M8 3v10M3 8h10",
  back: "M10 3.5 5.5 8l4.5 4.5",
  go: "M6 3.5h6.5V10m0-6.5L4 12",
  close: "m4 4 8 8m0-8-8 8",
  light:
    "M8 5.5A2.5 2.5 0 1 1 8 10.5 2.5 2.5 0 0 1 8 5.5ZM8 1.5V3M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  dark: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z",
  system: "M2 3h12v8H2V3Zm4 11h4m-2-3v3",
  help: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.7.4-1.1.8-1.1 1.6V10M8 12.5v.5",
  warning: "M8 2 1.5 13.5h13L8 2Zm0 4.5v3.5M8 11.7v.3",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path
        d={paths[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
