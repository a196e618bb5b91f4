import { render } from "preact";
import { App } from "./app.tsx";
import { begin } from "./live.ts";

render(<App />, document.getElementById("page") as HTMLElement);
begin();
