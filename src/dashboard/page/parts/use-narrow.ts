import { useEffect, useState } from "preact/hooks";

/** Whether the window is too narrow for rows of one line. */
export function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(false);
  useEffect(() => {
    const media = matchMedia("(max-width: 1199px)");
    const look = () => setNarrow(media.matches);
    look();
    media.addEventListener("change", look);
    return () => media.removeEventListener("change", look);
  }, []);
  return narrow;
}
