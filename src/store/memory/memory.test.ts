import { testStore } from "../conformance.ts";
import { openMemory } from "./open.ts";

testStore("memory", async () => {
  const clock = { now: 0 };
  const store = openMemory({ now: () => clock.now });
  return { store, clock, dispose: () => store.close() };
});
