// bun bench/webhook-receiver.ts DIRECTORY: takes whatever is posted to it, and tells by GET how often that was.
let received = 0;
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    if (request.method === "GET") return new Response(String(received));
    received += 1;
    return new Response();
  },
  development: false,
});
console.error(`listening on http://127.0.0.1:${server.port}`);
