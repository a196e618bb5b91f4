/** A subscriber that keeps the ids it got, in the order in which they came. */
export interface Following {
  ids: number[];
  closed(): boolean;
  close(): void;
}

/** Follows all events of a server after an id, over one WebSocket that is never opened anew. */
export async function follow(url: string, after: number): Promise<Following> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/events/subscribe?after=${after}`);
  const ids: number[] = [];
  let closed = false;
  socket.onmessage = ({ data }) => ids.push((JSON.parse(String(data)) as { id: number }).id);
  socket.onclose = () => {
    closed = true;
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("the WebSocket did not open"));
  });
  return { ids, closed: () => closed, close: () => socket.close() };
}
