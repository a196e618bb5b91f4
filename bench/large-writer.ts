// bun bench/large-writer.ts URL CLIENTS MEGABYTES SECONDS: clients that PUT large values without a pause. Prints JSON.
export interface Written {
  perSecond: number;
  errors: number;
}

const [url = "", clients = "1", megabytes = "1", seconds = "1"] = process.argv.slice(2);
const text = new Uint8Array(Number(megabytes) * 1024 * 1024).fill(120);
let written = 0;
let errors = 0;
const startedAt = performance.now();
const passed = () => (performance.now() - startedAt) / 1000;

async function write(client: number): Promise<void> {
  while (passed() < Number(seconds)) {
    const headers = { "Content-Type": "text/plain" };
    const response = await fetch(`${url}/api/state/large/${client}`, {
      method: "PUT",
      headers,
      body: text,
    }).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.ok) written += 1;
    else errors += 1;
  }
}

await Promise.all(Array.from({ length: Number(clients) }, (_, client) => write(client)));
const result: Written = { perSecond: written / passed(), errors };
console.log(JSON.stringify(result));
