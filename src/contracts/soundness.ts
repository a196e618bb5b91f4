import { KoorError } from "../contract/errors.ts";
import { type Contract, endpointNamed, endpointNames, readContract } from "./document.ts";
import type { Violation } from "./field-check.ts";
import { parts } from "./fields.ts";

/** Whether a contract says anything at all, and whether what it says can be used. */

/** The most faults of one contract that are told: enough to mend it by. */
export const faultsMost = 20;

/** An endpoint's name and a message are cut to this, in characters: both come out of the document. */
const faultChars = 256;

/**
 * What is wrong with a spec as a contract, in the order of the document.
 *
 * @returns `null` for a spec that is no contract
 */
export function faultsOf(bytes: Uint8Array): Violation[] | null {
  let contract: Contract | undefined;
  try {
    contract = readContract(bytes);
    if (!contract) return null;
    return faultsIn(contract).slice(0, faultsMost);
  } catch (error) {
    return [faultOf(error, "")];
  }
}

function faultsIn(contract: Contract): Violation[] {
  const names = endpointNames(contract);
  if (names.length === 0) {
    const path = contract.kind === "openapi" ? "/paths" : "endpoints";
    return [{ path, message: "the contract has no endpoints" }];
  }
  const faults: Violation[] = [];
  for (const name of names) {
    if (faults.length >= faultsMost) break;
    const path = cut(name);
    try {
      if (!saysAnything(contract, name))
        faults.push({
          path,
          message: "the endpoint has no schema: nothing was agreed of what goes in or out",
        });
    } catch (error) {
      faults.push(faultOf(error, path));
    }
  }
  return faults;
}

/** Whether there is a schema in an endpoint, of whatever goes in or out; a media type without one takes anything. */
function saysAnything(contract: Contract, name: string): boolean {
  if (contract.kind === "contract") return parts.some((part) => contract.endpoints.get(name)?.[part]);
  const endpoint = endpointNamed(contract, name);
  if (contract.kind === "schema" || !endpoint) return true;
  const { parameters, request, responses } = endpoint;
  const said = [
    ...parameters.values(),
    ...request.values(),
    ...[...responses.values()].flatMap(({ content }) => [...content.values()]),
  ];
  return said.some(({ schema }) => schema !== true);
}

/** A refusal as a fault of the contract. @throws Error what is none */
function faultOf(error: unknown, path: string): Violation {
  if (!(error instanceof KoorError)) throw error;
  return { path: cut(error.details.path ?? path), message: cut(error.message) };
}

function cut(text: string): string {
  return text.length <= faultChars ? text : `${text.slice(0, faultChars).toWellFormed()}...`;
}
