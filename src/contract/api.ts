import { auditOperations } from "../audit/contract.ts";
import { backupOperations } from "../backup/contract.ts";
import { changeOperations } from "../changes/contract.ts";
import { complianceOperations } from "../compliance/contract.ts";
import { contractOperations } from "../contracts/contract.ts";
import { eventOperations } from "../events/contract.ts";
import { instanceOperations } from "../instances/contract.ts";
import { leaseOperations } from "../leases/contract.ts";
import { llmOperations } from "../llm/contract.ts";
import { metricsOperations } from "../metrics/contract.ts";
import { ruleOperations } from "../rules/contract.ts";
import { specOperations } from "../specs/contract.ts";
import { stateOperations } from "../state/contract.ts";
import { templateOperations } from "../templates/contract.ts";
import { txnOperations } from "../txn/contract.ts";
import { webhookOperations } from "../webhooks/contract.ts";
import type { Handlers } from "./operation.ts";

/** The version of the wire. A test pins the contract's hash to it, so that the wire never changes by accident. */
export const apiVersion = "1.1.0";

/** All that Koor can do, by noun and verb. */
export const api = {
  metrics: metricsOperations,
  state: stateOperations,
  specs: specOperations,
  txn: txnOperations,
  rules: ruleOperations,
  contracts: contractOperations,
  compliance: complianceOperations,
  templates: templateOperations,
  events: eventOperations,
  changes: changeOperations,
  instances: instanceOperations,
  leases: leaseOperations,
  audit: auditOperations,
  webhooks: webhookOperations,
  llm: llmOperations,
  backup: backupOperations,
} as const;

export type Api = typeof api;

/** Every noun's service. */
export type Services = { [Noun in keyof Api]: Handlers<Api[Noun]> };
