import { compileGlobs } from "../../src/core/glob.ts";
import type { Random } from "./random.ts";
import type { World } from "./simulated-world.ts";

/** What a subscriber has, over all its connections. */
export interface Received {
  pattern: string;
  events: { id: number; data: unknown }[];
  /** Up to where it needs nothing more. */
  position: number;
}

/** Connects, takes what comes in its own time, goes away, and comes back to where it was. Never ends. */
export async function runSubscriber(world: World, received: Received, random: Random): Promise<void> {
  for (;;) {
    const process = await world.process();
    const connection = { open: true };
    const subscription = process.feed.subscribe({
      after: received.position,
      topic: compileGlobs(received.pattern),
      sink: {
        send({ frame }) {
          const event = JSON.parse(frame()) as Received["events"][number];
          received.events.push(event);
          const room = !random.chance(0.3);
          if (!room)
            void world.time.sleep(random.below(50)).then(() => connection.open && subscription.resume());
          return room;
        },
        gap(from, to) {
          // Nothing is trimmed here, so this is one event too many.
          received.events.push({ id: from, data: `a gap to ${to}` });
          return true;
        },
      },
    });
    let cut = false;
    const death = process.died.catch(() => void (cut = true));
    await Promise.race([world.time.sleep(20 + random.below(300)), death]);
    while (world.ending() && !cut && subscription.position < world.tables.heads.events)
      await world.time.sleep(5);
    connection.open = false;
    subscription.close();
    // What did not match was passed over, and is no gap.
    received.position = Math.max(received.position, subscription.position);
    if (world.ending()) await world.time.sleep(1000);
    await world.time.sleep(random.below(40));
  }
}
