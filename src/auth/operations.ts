import type { Operation } from "../core/openapi/operation.ts";
import { requestCodeOperation, verifyCodeOperation } from "./code-operations.ts";
import { healthOperation, livenessOperation, readinessOperation } from "./health-operations.ts";
import {
  currentSessionOperation,
  listSessionsOperation,
  logoutOperation,
  revokeOthersOperation,
  revokeSessionOperation,
} from "./session-operations.ts";
import {
  changeUserOperation,
  deleteUserOperation,
  getMeOperation,
  getUserOperation,
  requestDeletionOperation,
  requestEmailOperation,
  verifyEmailOperation,
} from "./user-operations.ts";

/** Every call of the sign-in API, in the order in which a person would meet them. */
export const authOperations: readonly Operation[] = [
  requestCodeOperation,
  verifyCodeOperation,
  currentSessionOperation,
  listSessionsOperation,
  revokeSessionOperation,
  revokeOthersOperation,
  logoutOperation,
  getUserOperation,
  getMeOperation,
  changeUserOperation,
  requestEmailOperation,
  verifyEmailOperation,
  requestDeletionOperation,
  deleteUserOperation,
  healthOperation,
  livenessOperation,
  readinessOperation,
];
