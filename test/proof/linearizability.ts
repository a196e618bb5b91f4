/**
 * A checker of linearizability: Wing and Gong's search for an order, with Lowe's memory of what was tried before
 * ("Testing for linearizability", 2017). It asks whether the operations of a history can be put in one order in which each
 * takes effect somewhere between its call and its answer, and all answers are those of a sequential object.
 */

export interface Event<Call, Answer> {
  call: Call;
  /** Undefined when the caller never learnt what came of it: then it took effect at any time since its call, or never. */
  answer: Answer | undefined;
  /** Moments in one order for the whole history, as numbers that are all different. */
  calledAt: number;
  /** Infinity where there was no answer. */
  answeredAt: number;
}

/** The sequential object. States are values: `name` tells equal ones. */
export interface Model<State, Call, Answer> {
  initial: State;
  name(state: State): string;
  /**
   * The state after a call that was answered so, or undefined when it cannot have been. With an unknown answer: the
   * state after a call that took effect as far as it could.
   */
  step(state: State, call: Call, answer: Answer | undefined): State | undefined;
}

/** Steps of the search before it gives up. True histories took at most some hundreds more than they are long. */
const patience = 200_000;

interface Node<Call, Answer> {
  event: Event<Call, Answer>;
  index: number;
  kind: "call" | "answer";
  /** The answer's node, of a call's node. */
  match: Node<Call, Answer> | undefined;
  previous: Node<Call, Answer> | undefined;
  next: Node<Call, Answer> | undefined;
}

/** @throws Error when the search takes longer than anybody would wait; that says nothing of the history */
export function isLinearizable<State, Call, Answer>(
  model: Model<State, Call, Answer>,
  history: readonly Event<Call, Answer>[],
): boolean {
  const head = link(history);
  const taken = new Set<string>();
  const order: { node: Node<Call, Answer>; before: State }[] = [];
  const done = new Uint8Array(Math.ceil(history.length / 8));
  let state = model.initial;
  let unanswered = history.filter(({ answeredAt }) => answeredAt !== Infinity).length;
  let node = head.next;
  for (let steps = 0; unanswered > 0; steps++) {
    if (steps > patience) throw new Error("the history is too hard to judge");
    if (node?.kind === "call") {
      const after = model.step(state, node.event.call, node.event.answer);
      flip(done, node.index);
      const name = after === undefined ? "" : `${Buffer.from(done).toString("latin1")}${model.name(after)}`;
      if (after === undefined || taken.has(name)) {
        flip(done, node.index);
        node = node.next;
        continue;
      }
      taken.add(name);
      order.push({ node, before: state });
      state = after;
      lift(node);
      if (node.event.answeredAt !== Infinity) unanswered -= 1;
      node = head.next;
      continue;
    }
    // An answer that came before its call could take effect, or the end: the last choice was wrong.
    const last = order.pop();
    if (!last) return false;
    state = last.before;
    flip(done, last.node.index);
    unlift(last.node);
    if (last.node.event.answeredAt !== Infinity) unanswered += 1;
    node = last.node.next;
  }
  return true;
}

/** Calls and answers as one list in the order of their moments; a call without an answer has none in it. */
function link<Call, Answer>(history: readonly Event<Call, Answer>[]): Node<Call, Answer> {
  const nodes: { at: number; node: Node<Call, Answer> }[] = [];
  for (const [index, event] of history.entries()) {
    const shared = { event, index, previous: undefined, next: undefined, match: undefined };
    const call: Node<Call, Answer> = { ...shared, kind: "call" };
    nodes.push({ at: event.calledAt, node: call });
    if (event.answeredAt === Infinity) continue;
    call.match = { ...shared, kind: "answer" };
    nodes.push({ at: event.answeredAt, node: call.match });
  }
  nodes.sort((a, b) => a.at - b.at);
  const head = { kind: "answer", index: -1 } as Node<Call, Answer>;
  let last = head;
  for (const { node } of nodes) {
    node.previous = last;
    last.next = node;
    last = node;
  }
  return head;
}

/** Takes an operation out of the list; the nodes keep their own links, so that it can be put back. */
function lift<Call, Answer>(node: Node<Call, Answer>): void {
  for (const part of [node, node.match]) {
    if (!part) continue;
    if (part.previous) part.previous.next = part.next;
    if (part.next) part.next.previous = part.previous;
  }
}

/** Puts back what was lifted last. */
function unlift<Call, Answer>(node: Node<Call, Answer>): void {
  for (const part of [node.match, node]) {
    if (!part) continue;
    if (part.previous) part.previous.next = part;
    if (part.next) part.next.previous = part;
  }
}

function flip(bits: Uint8Array, index: number): void {
  bits[index >> 3] = (bits[index >> 3] ?? 0) ^ (1 << (index & 7));
}
